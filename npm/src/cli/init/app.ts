// What `init` changes in the application: routes that send events, package.json, env files, and, when
// nothing else needs it, everything that is left of Inngest.

import { posix } from "node:path";
import { type Findings, INNGEST_PACKAGE } from "./inngest.ts";
import { edited, type Plan } from "./plan.ts";
import type { ProjectFolder } from "./project.ts";
import { CONVEX_MODULE, DOOR, isMessageFunction } from "./tasks.ts";

const REPLACED: Readonly<Record<string, string>> = {
  "message/sent": "startMessage",
  "message/cancel": "cancelMessage",
};

/** Events become calls of the door. */
export function editRoutes(project: ProjectFolder, plan: Plan, found: Findings): void {
  const { ts, source } = project;
  for (const file of new Set(found.sends.map((send) => send.file))) {
    const text = plan.get(file) ?? "";
    const sends = found.sends.filter((send) => send.file === file);
    const known = sends.filter(({ name, messageId }) => REPLACED[name ?? ""] && messageId);
    for (const send of sends.filter((each) => !known.includes(each))) {
      plan.left.push(
        `${file}: sends ${send.name ?? "an event"}, which has no task of this package`,
      );
    }
    if (known.length === 0) continue;
    const used = [...new Set(known.map(({ name }) => REPLACED[name ?? ""]))].sort();
    let path = posix.relative(posix.dirname(file), `${source}${DOOR}`).replace(/\.ts$/, "");
    if (!path.startsWith(".")) path = `./${path}`;
    const changed = edited(
      text,
      known.map(({ start, end, name, messageId }) => ({
        start,
        end,
        text: `${REPLACED[name ?? ""]}(${messageId})`,
      })),
    );
    plan.set(
      file,
      withImport(ts, changed, file, `import { ${used.join(", ")} } from "${path}";`, found),
    );
  }
}

/** Adds our import, and drops that of the client where nothing uses it any more. */
function withImport(
  ts: ProjectFolder["ts"],
  text: string,
  file: string,
  line: string,
  found: Findings,
): string {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const imports = tree.statements.filter(ts.isImportDeclaration);
  const rest = text.slice(imports.at(-1)?.getEnd() ?? 0);
  const unused = imports.filter((each) => {
    const names = each.importClause?.namedBindings;
    if (names === undefined || !ts.isNamedImports(names)) return false;
    const id = (each.moduleSpecifier as import("typescript").StringLiteral).text;
    const isClient = found.clients.some((client) =>
      client.replace(/\.\w+$/, "").endsWith(id.replace(/^[@.~/]+/, "")),
    );
    return (
      isClient && names.elements.every(({ name }) => !new RegExp(`\\b${name.text}\\b`).test(rest))
    );
  });
  const at = imports.at(-1)?.getEnd() ?? 0;
  return edited(text, [
    ...unused.map((each) => ({ start: each.getStart(), end: each.getEnd() + 1, text: "" })),
    { start: at, end: at, text: `${at === 0 ? "" : "\n"}${line}` },
  ]);
}

/** Removes what is Inngest's, or says why it cannot be. */
export function removeInngest(project: ProjectFolder, plan: Plan, found: Findings): void {
  for (const { id, trigger, file } of found.functions.filter((each) => !isMessageFunction(each))) {
    plan.remaining.push({ id, file, recipe: recipeFor(trigger) });
  }
  if (plan.remaining.length > 0 || plan.left.some((line) => line.includes(": sends "))) {
    plan.notes.push(
      "Inngest's client, functions, route and dependencies stay, because not everything that uses them could be moved.",
    );
    return;
  }
  for (const file of new Set([
    ...found.serving,
    ...found.clients,
    ...found.functions.map((f) => f.file),
  ])) {
    const used = project.sources.filter(
      (other) => plan.get(other) !== undefined && imports(project, plan, other, file),
    );
    const staying = used.filter(
      (other) => !found.importing.includes(other) && !found.functions.some((f) => f.file === other),
    );
    if (staying.length > 0) plan.left.push(`${file}: still imported by ${staying.join(", ")}`);
    else plan.set(file, undefined);
  }
  editManifest(plan, (manifest) => {
    for (const key of ["dependencies", "devDependencies"] as const) {
      for (const name of Object.keys(manifest[key] ?? {})) {
        if (INNGEST_PACKAGE.test(name) || name === "inngest-cli") delete manifest[key]?.[name];
      }
    }
    for (const [name, line] of Object.entries(manifest.scripts ?? {})) {
      if (/^(npx |bunx |pnpm dlx )?inngest(-cli)?(@\S+)? /.test(line))
        delete manifest.scripts?.[name];
      else if (/inngest/i.test(line))
        plan.left.push(`package.json: the script ${name} mentions inngest`);
    }
  });
  for (const file of envFiles(project)) {
    const text = plan.get(file) ?? "";
    plan.set(file, text.replace(/^#? ?INNGEST_[A-Z_]+=.*\r?\n?/gm, ""));
  }
  for (const file of ["README.md", "CLAUDE.md"]) {
    const lines = (plan.get(file) ?? "").split("\n");
    lines.forEach((line, index) => {
      if (/inngest/i.test(line))
        plan.left.push(`${file}:${index + 1}: mentions Inngest: ${line.trim().slice(0, 80)}`);
    });
  }
}

function imports(project: ProjectFolder, plan: Plan, from: string, file: string): boolean {
  if (from === file) return false;
  const target = file.replace(/\.\w+$/, "").replace(/\/index$/, "");
  const text = plan.get(from) ?? "";
  for (const [, id = ""] of text.matchAll(/from\s*["']([^"']+)["']/g)) {
    const resolved = id.startsWith(".")
      ? posix.join(posix.dirname(from), id)
      : id.startsWith("@/")
        ? `${project.source}${id.slice(2)}`
        : undefined;
    if (resolved?.replace(/\.\w+$/, "") === target) return true;
  }
  return false;
}

function recipeFor(trigger: string): string {
  if (/^[\d*/,\- ]+$/.test(trigger)) {
    return `a scheduled task: schedules.task({ id, cron: "${trigger}", run }) in trigger/tasks/, its steps in order`;
  }
  return `a task: task({ id, run }) in trigger/tasks/; where "${trigger}" is sent, tasks.trigger(id, data); step.run(...) becomes a plain await, or a child task where it must not be repeated; step.sleep becomes wait.for`;
}

interface Manifest {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  scripts?: Record<string, string>;
}

export function editManifest(plan: Plan, change: (manifest: Manifest) => void): void {
  const text = plan.get("package.json") ?? "{}";
  const manifest = JSON.parse(text) as Manifest;
  change(manifest);
  const indent = /^[ \t]+/m.exec(text)?.[0] ?? "  ";
  const written = `${JSON.stringify(manifest, null, indent)}\n`;
  if (JSON.stringify(JSON.parse(text)) !== JSON.stringify(manifest))
    plan.set("package.json", written);
}

/** Dependencies, a script, and the variables that the worker and the app need. */
export function addSettings(
  project: ProjectFolder,
  plan: Plan,
  versions: Readonly<Record<string, string>>,
): void {
  editManifest(plan, (manifest) => {
    manifest.dependencies ??= {};
    for (const name of ["polaris-agent", "@trigger.dev/sdk"]) {
      manifest.dependencies[name] ??= versions[name] ?? "latest";
    }
    manifest.devDependencies ??= {};
    manifest.devDependencies["trigger.dev"] ??= versions["trigger.dev"] ?? "latest";
    manifest.scripts ??= {};
    manifest.scripts["dev:jobs"] ??= "trigger.dev dev";
  });
  const files = envFiles(project);
  const example = files.find((name) => /example|sample/.test(name)) ?? ".env.example";
  for (const file of new Set([...files, example])) {
    const text = plan.get(file) ?? "";
    const missing = Object.entries({
      TRIGGER_SECRET_KEY: "",
      TRIGGER_PROJECT_REF: "",
      POLARIS_CONVEX_MODULE: CONVEX_MODULE,
    }).filter(([name]) => !new RegExp(`^${name}=`, "m").test(text));
    if (missing.length === 0) continue;
    const gap = text === "" || text.endsWith("\n") ? "" : "\n";
    plan.set(file, `${text}${gap}${missing.map(([name, value]) => `${name}=${value}\n`).join("")}`);
  }
}

function envFiles({ read }: ProjectFolder): string[] {
  return [".env", ".env.local", ".env.example", ".env.sample"].filter(
    (name) => read(name) !== undefined,
  );
}
