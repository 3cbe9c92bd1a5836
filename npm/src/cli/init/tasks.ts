// The files that `init` adds: the task files and the Convex functions of this package, copied as they
// are but for the paths of their imports, the application's door to both, and what of the app's own
// functions goes on in them.

import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { packageRoot } from "../../native.ts";
import { type Carried, carryOver } from "./carry.ts";
import { editConfig, tasksFolder } from "./config.ts";
import { Extraction } from "./extract.ts";
import type { Findings, InngestFunction } from "./inngest.ts";
import { DEFAULT_KEY, DEFAULT_URL, type Model } from "./model.ts";
import type { Plan } from "./plan.ts";
import type { Sources } from "./sources.ts";

export const DOOR = "lib/polaris.ts";
/** Where the copied Convex functions stand, below the app's own folder. */
export const CONVEX_MODULE = "polaris/system";

/** Ours: upgraded while nobody changes them. */
const HAND_OVER = ["run.ts", "child.ts", "variables.ts"];
/** The project's from now on. */
const TASKS = ["process-message.ts", "generate-project.ts", "generation-step.ts"];
const CONVEX_ENTRIES = ["system.ts", "leases.ts", "generations.ts", "reports.ts", "settle.ts"];

export function isMessageFunction({ id, trigger }: InngestFunction): boolean {
  return trigger === "message/sent" || /^process-?message$/i.test(id);
}

export function isGenerationFunction({ id, trigger }: InngestFunction): boolean {
  return /^project\/generate$/.test(trigger) || /^generate-?project$/i.test(id);
}

/** `moved`: where a file of the project will stand. */
export function addFiles(
  sources: Sources,
  plan: Plan,
  found: Findings,
  version: string,
  moved: (file: string) => string,
): void {
  const { project } = sources;
  editConfig(project, plan);
  const folder = tasksFolder(project, plan);
  const at = (file: string) => posix.join(folder, file);
  for (const file of HAND_OVER) plan.own(at(file), packaged(`trigger/${file}`), version);
  const extraction = new Extraction(sources, at("carried.ts"), moved);
  const answering = found.functions.find(isMessageFunction);
  const carried = answering && carryOver(sources, plan, answering, extraction);
  for (const file of TASKS) {
    const text = packaged(`trigger/tasks/${file}`);
    const isMessage = file === "process-message.ts" && carried !== undefined;
    plan.give(at(`tasks/${file}`), isMessage ? withCarried(text, carried) : text);
  }
  if (answering !== undefined && !extraction.isEmpty) {
    plan.give(
      at("carried.ts"),
      extraction.text(
        `// What ${answering.id} had before it moved here: as it stood in the app's own source.`,
      ),
    );
  }
  const init = at("init.ts");
  if (plan.get(init) === undefined) plan.set(init, initFile(carried?.models ?? {}));
  else if (!plan.get(init)?.includes("POLARIS_CONVEX_MODULE")) {
    plan.left.push(
      `${init}: set POLARIS_CONVEX_MODULE to ${CONVEX_MODULE} for the workers, there or as a variable`,
    );
  }
  const ported = at("ported-tools.ts");
  if (carried?.tools !== undefined || plan.get(ported) !== undefined) {
    plan.own(ported, packaged("npm/init/ported-tools.ts"), version);
  }
  addConvexFunctions(sources, plan, version);
  plan.own(`${project.source}${DOOR}`, door(), version);
}

function packaged(path: string): string {
  const file = join(packageRoot, path);
  if (!existsSync(file)) throw new Error(`${file} is missing from this package`);
  // Bundlers' resolution takes no extensions of TypeScript.
  return readFileSync(file, "utf8").replace(/(from "\.{1,2}\/[\w./-]+)\.ts"/g, '$1"');
}

function addConvexFunctions({ project: { convex } }: Sources, plan: Plan, version: string): void {
  const open = [...CONVEX_ENTRIES];
  const seen = new Set<string>();
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = packaged(`app/convex/${file}`);
    for (const [, id = ""] of text.matchAll(/from "(\.{1,2}\/[\w./-]+)"/g)) {
      if (!id.includes("_generated")) open.push(`${posix.join(posix.dirname(file), id)}.ts`);
    }
    const api = /import \{ internal \} from "[./]+_generated\/api";/;
    const placed = text
      // The types of `api` know this module only after the next code generation.
      .replace(api, 'import { anyApi as internal } from "convex/server";')
      .replace(/\binternal\.(?=\w+\.)/g, "internal.polaris.")
      .replace(
        /(from ")((?:\.\.?\/)+)(_generated\/)/g,
        (_, head, up, tail) => `${head}${up === "./" ? "../" : `../${up}`}${tail}`,
      );
    plan.own(`${convex}polaris/${file}`, placed, version);
  }
}

/** The task with what was carried over in the places of its defaults. */
function withCarried(task: string, carried: Carried): string {
  const { prompt, tools, limits, maxAttempts, concurrencyLimit } = carried;
  let text = task;
  for (const [name, value] of limits) {
    text = text.replace(new RegExp(`(${name}: )[\\d_.]+`), (_, head: string) => `${head}${value}`);
  }
  if (maxAttempts !== undefined) {
    text = text.replace(/(MAX_ATTEMPTS = )\d+/, (_, head: string) => `${head}${maxAttempts}`);
  }
  if (concurrencyLimit !== undefined) {
    text = text.replace(
      /(id: "process-message",\n)( *)/,
      (_, head: string, indent: string) =>
        `${head}${indent}queue: { concurrencyLimit: ${concurrencyLimit} },\n${indent}`,
    );
  }
  const names = [prompt, tools, ...limits.values()]
    .map((value) => /^(app\w+)/.exec(value ?? "")?.[1])
    .filter((name) => name !== undefined);
  if (names.length > 0) {
    text = text.replace(
      "import { handOver,",
      `import { ${[...new Set(names)].sort().join(", ")} } from "../carried";\nimport { handOver,`,
    );
  }
  const options = [
    ...(tools === undefined ? [] : [`tools: ${tools},`]),
    ...(prompt === undefined ? [] : [`prompts: { system: { text: ${prompt} } },`]),
  ];
  // In the place of the comments that say what could stand there.
  return text.replace(
    /( *)options: \{\n(?:\s*\/\/.*\n)*( *)limits:/,
    (_, outer: string, indent: string) =>
      `${outer}options: {\n${options.map((line) => `${indent}${line}\n`).join("")}${indent}limits:`,
  );
}

/** What the workers of this app use where the environment says nothing. */
function initFile({ primary, fallback }: Carried["models"]): string {
  const defaults = new Map([["POLARIS_CONVEX_MODULE", CONVEX_MODULE]]);
  const keys: [string, string][] = [];
  const add = (role: "PRIMARY" | "FALLBACK", model: Model | undefined): void => {
    if (model === undefined) return;
    defaults.set(`POLARIS_${role}_MODEL`, model.name);
    if (model.baseUrl !== undefined && model.baseUrl !== DEFAULT_URL[role])
      defaults.set(`POLARIS_${role}_BASE_URL`, model.baseUrl);
    if (model.protocol !== "openai-chat") defaults.set(`POLARIS_${role}_PROTOCOL`, model.protocol);
    if (model.keyVariable && model.keyVariable !== DEFAULT_KEY) {
      keys.push([`POLARIS_${role}_API_KEY`, model.keyVariable]);
    }
  };
  add("PRIMARY", primary);
  add("FALLBACK", fallback);
  const lines = [...defaults].map(([name, value]) => `  ${name}: ${JSON.stringify(value)},\n`);
  const keyLines = keys.map(([name, own]) => `process.env.${name} ||= process.env.${own} ?? "";\n`);
  return `// Runs once in each worker, before a task: the settings of this app. A variable of the environment wins.

const DEFAULTS = {
${lines.join("")}};

for (const [name, value] of Object.entries(DEFAULTS)) process.env[name] ||= value;
${keyLines.length === 0 ? "" : `// The keys, under the names that this app has for them.\n${keyLines.join("")}`}`;
}

function door(): string {
  const api = `anyApi.${CONVEX_MODULE.replace("/", ".")}`;
  return `// Starts and cancels the runs of polaris-agent; what the routes call.

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
  const stored = await convex.mutation(${api}.updateMessageTriggerRunId, {
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
  await convex.mutation(${api}.cancelMessage, { ...key, messageId });
  const message = await convex.query(${api}.getMessageById, { ...key, messageId });
  const runId: string | undefined = message?.triggerRunId;
  if (runId === undefined) return { ids: [] };
  await runs.cancel(runId);
  return { ids: [runId] };
}

/** Starts the run that generates a project's files. */
export async function startGeneration(payload: {
  projectId: string;
  description: string;
}): Promise<{ ids: string[] }> {
  const run = await tasks.trigger("generate-project", payload);
  return { ids: [run.id] };
}
`;
}
