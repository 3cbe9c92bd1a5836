// The project's trigger.config.ts: written where there is none, else given the one line that it lacks.

import { posix } from "node:path";
import type * as ts from "typescript";
import { property } from "./inngest.ts";
import { type Edit, edited, type Plan } from "./plan.ts";
import type { ProjectFolder } from "./project.ts";

const FILE = /^trigger\.config\.[mc]?[jt]s$/;
const LINE = 'import { polarisAgent } from "polaris-agent/trigger";';

const CONFIG = `import { defineConfig } from "@trigger.dev/sdk";
${LINE}

export default defineConfig({
  project: process.env.TRIGGER_PROJECT_REF ?? "proj_set_TRIGGER_PROJECT_REF",
  dirs: ["./trigger"],
  runtime: "node",
  maxDuration: 3600,
  retries: {
    enabledInDev: true,
    default: { maxAttempts: 3, factor: 2, minTimeoutInMs: 1000, maxTimeoutInMs: 60000, randomize: true },
  },
  processKeepAlive: true,
  build: { extensions: [polarisAgent()] },
});
`;

function configOf({ sources }: ProjectFolder): string | undefined {
  return sources.find((file) => FILE.test(file));
}

/** The argument of `defineConfig`. */
function definition(project: ProjectFolder, file: string, text: string) {
  const { ts } = project;
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  let found: ts.ObjectLiteralExpression | undefined;
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText() === "defineConfig") {
      const [first] = node.arguments;
      if (first !== undefined && ts.isObjectLiteralExpression(first)) found ??= first;
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** Where the project keeps its tasks: the first of the config's `dirs`. */
export function tasksFolder(project: ProjectFolder, plan: Plan): string {
  const { ts } = project;
  const file = configOf(project);
  const config = file && definition(project, file, plan.get(file) ?? "");
  const dirs = config && property(ts, config, "dirs");
  const [first] = dirs && ts.isArrayLiteralExpression(dirs) ? dirs.elements : [];
  return first !== undefined && ts.isStringLiteralLike(first)
    ? posix.normalize(first.text).replace(/\/$/, "")
    : "trigger";
}

export function editConfig(project: ProjectFolder, plan: Plan): void {
  const { ts } = project;
  const file = configOf(project);
  if (file === undefined) {
    plan.set("trigger.config.ts", CONFIG);
    return;
  }
  const text = plan.get(file) ?? "";
  if (text.includes("polarisAgent(")) return;
  const edit = extensionEdit(ts, definition(project, file, text));
  if (edit === undefined) {
    plan.left.push(
      `${file}: add polarisAgent() of "polaris-agent/trigger" to build.extensions, by hand`,
    );
    return;
  }
  const imports = ts
    .createSourceFile(file, text, ts.ScriptTarget.Latest, true)
    .statements.filter(ts.isImportDeclaration);
  const at = imports.at(-1)?.getEnd() ?? 0;
  const line = at === 0 ? `${LINE}\n` : `\n${LINE}`;
  plan.set(file, edited(text, [edit, { start: at, end: at, text: line }]));
}

function extensionEdit(
  ts: ProjectFolder["ts"],
  config: ts.ObjectLiteralExpression | undefined,
): Edit | undefined {
  if (config === undefined) return undefined;
  const build = property(ts, config, "build");
  if (build === undefined) return append(config, "build: { extensions: [polarisAgent()] }");
  if (!ts.isObjectLiteralExpression(build)) return undefined;
  const extensions = property(ts, build, "extensions");
  if (extensions === undefined) return append(build, "extensions: [polarisAgent()]");
  if (!ts.isArrayLiteralExpression(extensions)) return undefined;
  const start = extensions.getStart() + 1;
  const rest = extensions.elements.length > 0 ? ", " : "";
  return { start, end: start, text: `polarisAgent()${rest}` };
}

/** As the last property; a trailing comma stays behind it. */
function append(object: ts.ObjectLiteralExpression, text: string): Edit {
  const last = object.properties.at(-1);
  const at = last?.getEnd() ?? object.getStart() + 1;
  return { start: at, end: at, text: `${last === undefined ? "" : ","} ${text}` };
}
