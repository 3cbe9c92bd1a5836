// The files that `init` adds: the task files and the Convex functions of this package, copied as they
// are but for the paths of their imports, and the application's door to both. The app's own prompt and
// numbers are carried over as they stand in its source.

import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { packageRoot } from "../../native.ts";
import { type Findings, type InngestFunction, property } from "./inngest.ts";
import type { Plan } from "./plan.ts";
import type { ProjectFolder } from "./project.ts";

export const DOOR = "lib/polaris.ts";
/** Where the copied Convex functions stand, below the app's own folder. */
export const CONVEX_MODULE = "polaris/system";

const TASKS = [
  "trigger/run.ts",
  "trigger/child.ts",
  "trigger/variables.ts",
  "trigger/tasks/process-message.ts",
  "trigger/tasks/generate-project.ts",
  "trigger/tasks/generation-step.ts",
];

const CONFIG = `import { defineConfig } from "@trigger.dev/sdk";
import { polarisAgent } from "polaris-agent/trigger";

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

export function addFiles(project: ProjectFolder, plan: Plan, found: Findings): void {
  const { sources } = project;
  const config = sources.find((file) => /^trigger\.config\.[mc]?[jt]s$/.test(file));
  if (config === undefined) plan.add("trigger.config.ts", CONFIG);
  else if (!plan.get(config)?.includes("polarisAgent(")) {
    plan.left.push(`${config}: add polarisAgent() of "polaris-agent/trigger" to build.extensions`);
  }
  const answering = found.functions.find(isMessageFunction);
  for (const path of TASKS) {
    const text = withoutExtensions(readFileSync(join(packageRoot, path), "utf8"));
    const isMessage = path.endsWith("process-message.ts");
    plan.add(
      path,
      isMessage && answering ? carryOver(project, plan, found, answering, text) : text,
    );
  }
  addConvexFunctions(project, plan);
  plan.add(`${project.source}${DOOR}`, door());
}

export function isMessageFunction({ id, trigger }: InngestFunction): boolean {
  return trigger === "message/sent" || /^process-?message$/i.test(id);
}

/** Bundlers' resolution takes no extensions of TypeScript. */
function withoutExtensions(text: string): string {
  return text.replace(/(from "\.{1,2}\/[\w./-]+)\.ts"/g, '$1"');
}

function addConvexFunctions({ convex }: ProjectFolder, plan: Plan): void {
  const base = join(packageRoot, "app", "convex");
  if (!existsSync(base)) throw new Error(`${base} is missing from this package`);
  const open = ["system.ts", "leases.ts", "generations.ts", "reports.ts"];
  const seen = new Set<string>();
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = readFileSync(join(base, file), "utf8");
    for (const [, id = ""] of text.matchAll(/from "(\.{1,2}\/[\w./-]+)"/g)) {
      if (!id.includes("_generated")) open.push(`${posix.join(posix.dirname(file), id)}.ts`);
    }
    const api = /import \{ internal \} from "[./]+_generated\/api";/;
    plan.add(
      `${convex}polaris/${file}`,
      text
        // The types of `api` know this module only after the next code generation.
        .replace(api, 'import { anyApi as internal } from "convex/server";')
        .replace(/\binternal\.(?=\w+\.)/g, "internal.polaris.")
        .replace(
          /(from ")((?:\.\.?\/)+)(_generated\/)/g,
          (_, head, up, tail) => `${head}${up === "./" ? "../" : `../${up}`}${tail}`,
        ),
    );
  }
}

/** The app's own system prompt and numbers, in the task that takes the function's place. */
function carryOver(
  { ts, read, sources }: ProjectFolder,
  plan: Plan,
  found: Findings,
  { file, node }: InngestFunction,
  task: string,
): string {
  const values = new Map<string, import("typescript").Node>();
  const visit = (at: import("typescript").Node): void => {
    for (const name of [
      "system",
      "maxSteps",
      "maxIter",
      "maxTokens",
      "maxOutputTokens",
      "temperature",
    ]) {
      const value = property(ts, at, name);
      if (value !== undefined && !values.has(name)) values.set(name, value);
    }
    if (ts.isCallExpression(at) && at.expression.getText() === "stepCountIs") {
      const [count] = at.arguments;
      if (count !== undefined) values.set("maxSteps", count);
    }
    ts.forEachChild(at, visit);
  };
  // The model may be set up outside the function, in the same file.
  visit(node);
  const tree = found.trees.get(file);
  if (tree !== undefined) visit(tree);

  let text = task;
  const numbers = {
    maxSteps: ["maxSteps", "maxIter"],
    maxOutputTokens: ["maxOutputTokens", "maxTokens"],
    temperature: ["temperature"],
  };
  for (const [ours, theirs] of Object.entries(numbers)) {
    const value = theirs.map((name) => values.get(name)).find((each) => each !== undefined);
    if (value === undefined) continue;
    if (ts.isNumericLiteral(value)) {
      text = text.replace(new RegExp(`(${ours}: )[\\d_.]+`), `$1${value.getText()}`);
    } else
      plan.left.push(
        `${file}: ${ours} is ${value.getText()}, set it in trigger/tasks/process-message.ts`,
      );
  }
  const system = values.get("system");
  if (system === undefined) return text;
  const literal = literalOf(system, file);
  if (literal === undefined) {
    plan.left.push(
      `${file}: the system prompt is ${system.getText().slice(0, 60)}; give it to prompts.system in trigger/tasks/process-message.ts`,
    );
    return text;
  }
  plan.add(
    "trigger/prompts.ts",
    `// The system prompt of this app, as it was.\n\nexport const SYSTEM_PROMPT = ${literal};\n`,
  );
  return text
    .replace(/(import \{ handOver)/, 'import { SYSTEM_PROMPT } from "../prompts";\n$1')
    .replace(/(\n\s*)(limits: \{)/, "$1prompts: { system: { text: SYSTEM_PROMPT } },$1$2");

  /** The literal's own source text, wherever it is declared. */
  function literalOf(value: import("typescript").Node, where: string): string | undefined {
    if (ts.isStringLiteralLike(value)) return value.getText();
    if (!ts.isIdentifier(value)) return undefined;
    const name = value.text;
    for (const candidate of [where, ...sources]) {
      const source = read(candidate);
      if (source === undefined || !source.includes(name)) continue;
      const parsed = ts.createSourceFile(candidate, source, ts.ScriptTarget.Latest, true);
      for (const statement of parsed.statements) {
        if (!ts.isVariableStatement(statement)) continue;
        for (const { name: declared, initializer } of statement.declarationList.declarations) {
          if (declared.getText() !== name || initializer === undefined) continue;
          if (ts.isStringLiteralLike(initializer)) return initializer.getText();
        }
      }
    }
    return undefined;
  }
}

function door(): string {
  return `// Starts and cancels the runs that answer messages; what the routes call.

import { runs, tasks } from "@trigger.dev/sdk";
import { ConvexHttpClient } from "convex/browser";
import { anyApi } from "convex/server";

function store() {
  const url = process.env.CONVEX_URL ?? process.env.NEXT_PUBLIC_CONVEX_URL;
  const internalKey = process.env.POLARIS_CONVEX_INTERNAL_KEY;
  if (!url || !internalKey) {
    throw new Error("NEXT_PUBLIC_CONVEX_URL and POLARIS_CONVEX_INTERNAL_KEY must be set");
  }
  return { convex: new ConvexHttpClient(url), key: { internalKey } };
}

/** Starts the run that fills the empty assistant message. */
export async function startMessage(messageId: string): Promise<{ ids: string[] }> {
  const { convex, key } = store();
  const run = await tasks.trigger("process-message", { messageId }, { idempotencyKey: messageId });
  const stored = await convex.mutation(anyApi.${CONVEX_MODULE.replace("/", ".")}.updateMessageTriggerRunId, {
    ...key,
    messageId,
    triggerRunId: run.id,
  });
  // Cancelled before the run id was there to cancel by.
  if (stored.status === "cancelled") await runs.cancel(run.id);
  return { ids: [run.id] };
}

/** Cancels a message: its status first, which every writer respects, then its run. */
export async function cancelMessage(messageId: string): Promise<{ ids: string[] }> {
  const { convex, key } = store();
  await convex.mutation(anyApi.${CONVEX_MODULE.replace("/", ".")}.cancelMessage, { ...key, messageId });
  const message = await convex.query(anyApi.${CONVEX_MODULE.replace("/", ".")}.getMessageById, { ...key, messageId });
  const runId: string | undefined = message?.triggerRunId;
  if (runId === undefined) return { ids: [] };
  await runs.cancel(runId);
  return { ids: [runId] };
}
`;
}
