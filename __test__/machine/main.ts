// npm run test:machine: the real task, under the official CLI, in a worker that has the memory and the
// processor of Trigger.dev's default machine, on a project of 1,000 files: the demo's message, and one
// that calls every tool. No process is killed for memory; the language server is not started where there
// is too little for it, and the answer says so.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConvexHttpClient } from "convex/browser";
import { api } from "../../app/convex/_generated/api.js";
import { failureOf, visibleCalls } from "../../app/convex/model/journal.ts";
import { pathOf, project } from "../../bench/tools/project.ts";
import { codeOf, describe, onInterrupt } from "../../local/commands/lifecycle.ts";
import { type Message, watchMessage, within } from "../../local/commands/watch-message.ts";
import { ModelAdmin } from "../../local/model/client.ts";
import { type Stack, startStack } from "../../local/stack/index.ts";
import { createProjectIn } from "../../local/stack/seed.ts";
import { type Groups, type Limits, makeGroups } from "./groups.ts";

const MIB = 1 << 20;
const FILES = 1_000;
/** A half processor that others use too is slow; what hangs is found all the same. */
const FINAL_MS = 420_000;
const AT_ONCE = 8;

/** Trigger.dev's small-1x, and one that is too small for the language server. */
const MACHINES: readonly { name: string; limits: Limits; mayHaveTypes: boolean }[] = [
  { name: "512 MB, half a core", limits: { bytes: 512 * MIB, cpus: 0.5 }, mayHaveTypes: true },
  { name: "384 MB, half a core", limits: { bytes: 384 * MIB, cpus: 0.5 }, mayHaveTypes: false },
];

const UNTYPED = /without type information|syntax only/;
const MEMORY = /it needs (\d+) MB of memory and (\d+) MB are left/;

async function main(): Promise<number> {
  onInterrupt((signal) => process.exit(codeOf(signal)));
  let [passed, failed, skipped] = [0, 0, 0];
  for (const { name, limits, mayHaveTypes } of MACHINES) {
    let groups: Groups;
    try {
      groups = makeGroups(`polaris-machine-${process.pid}`, limits);
    } catch (error) {
      skipped++;
      process.stdout.write(`skipped ${name}: no control group can be made: ${describe(error)}\n`);
      continue;
    }
    try {
      const problems = await onMachine(name, groups, mayHaveTypes);
      if (problems.length === 0) passed++;
      else failed++;
      for (const problem of problems) process.stdout.write(`FAILED ${name}: ${problem}\n`);
    } finally {
      groups.close();
    }
  }
  process.stdout.write(
    `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}\n`,
  );
  return failed === 0 ? 0 : 1;
}

async function onMachine(name: string, groups: Groups, mayHaveTypes: boolean): Promise<string[]> {
  const state = await mkdtemp(join(tmpdir(), "polaris-machine-"));
  const preload = fileURLToPath(new URL("./enter.cjs", import.meta.url));
  const stack = await startStack({
    state,
    branch: `machine-${process.pid}`,
    env: { NODE_OPTIONS: `--require=${preload}`, POLARIS_TEST_GROUPS: groups.folders.join(":") },
  });
  try {
    Object.assign(process.env, stack.env);
    const problems: string[] = [];
    for (const text of [DEMO, await scripted(stack)]) {
      const begun = performance.now();
      const message = await send(stack, text);
      const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
      const results = visibleCalls(message.toolCalls).map(({ name, result }) => ({
        name,
        result: String(result ?? ""),
      }));
      if (message.status !== "completed") {
        problems.push(
          `"${text}" is ${message.status}: ${failureOf(message.toolCalls)?.code ?? "no code"}`,
        );
      }
      if (results.length === 0) problems.push(`"${text}" called no tool`);
      problems.push(...wrong(results));
      const typed = results.filter(({ name }) => TYPED.includes(name));
      const untyped = typed.filter(({ result }) => UNTYPED.test(result));
      if (!mayHaveTypes && untyped.length < typed.length) {
        problems.push("the language server was started where there is too little memory for it");
      }
      const why = untyped.map(({ result }) => MEMORY.exec(result)?.[0]).find(Boolean);
      const types =
        typed.length === 0
          ? ""
          : `, ${typed.length - untyped.length} of ${typed.length} answers with types`;
      process.stdout.write(
        `ok      ${name}: "${text.slice(0, 24)}": ${message.status} in ${seconds} s, ${results.length} tool calls${types}` +
          `${why === undefined ? "" : ` (${why})`}, peak ${Math.round(groups.peakBytes() / MIB)} MB\n`,
      );
    }
    if (groups.peakBytes() === 0) problems.push("no worker was in the control group");
    if (groups.killed() > 0) problems.push(`${groups.killed()} processes were killed for memory`);
    return problems;
  } finally {
    await stack.close();
    await rm(state, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** As in `npm run demo`. */
const DEMO = "Add a dark mode toggle";
const TYPED = ["getDiagnostics", "getReferences", "goToDefinition"];
/** What each tool must say of the generated project, with types or without. */
const SAYS: Record<string, RegExp> = {
  getProjectStructure: /src\/lib\/group0\/module0\.ts/,
  findSymbol: /\[function\] compute500 - /,
  searchFiles: /marker-500-end/,
  searchCodebase: /\[class\] Store500 - /,
  findFilesByPattern: /Found 100 file\(s\)/,
  getRelevantFiles: /Found 5 relevant file\(s\)/,
  getDiagnostics: /^(?:Found|No diagnostics found|Syntax)/,
  getReferences: /Found \d+ reference\(s\)/,
  goToDefinition: /Definition found/,
};

function wrong(results: readonly { name: string; result: string }[]): string[] {
  return results
    .filter(({ name, result }) => SAYS[name] !== undefined && !SAYS[name].test(result))
    .map(({ name, result }) => `${name} said: ${result.slice(0, 200)}`);
}

/** A message whose model calls every tool for code, those with types several times. */
async function scripted(stack: Stack): Promise<string> {
  const text = "Look at everything";
  const path = pathOf(500, FILES);
  const place = { path, line: 1, column: 11 };
  const calls: [string, object][] = [
    ["getProjectStructure", {}],
    ["findSymbol", { query: "compute500", kind: "function" }],
    ["searchFiles", { pattern: "marker-500-e\\w+" }],
    ["searchCodebase", { patternType: "class", searchTerm: "Store500" }],
    ["findFilesByPattern", { pattern: "src/**/module*7.ts" }],
    ["getRelevantFiles", { query: "compute500 total", currentFile: path }],
    ["getDiagnostics", { path }],
    ["getReferences", place],
    ["goToDefinition", place],
  ];
  const toolCalls = (round: number) =>
    calls.map(([name, args]) => ({ id: `call_${name}_${round}`, name, args }));
  const turns = [0, 1, 2].map((round) => ({ toolCalls: toolCalls(round) }));
  await new ModelAdmin(stack.admin("model")).script({
    match: { contains: text },
    turns: [...turns, { text: "I have seen it." }],
  });
  return text;
}

async function send(stack: Stack, text: string): Promise<Message> {
  const messages = await import("../../app/src/server/messages.ts");
  const { CONVEX_URL: url = "", POLARIS_CONVEX_INTERNAL_KEY: internalKey = "" } = stack.env;
  const { projectId, conversationId } = await createProjectIn(url, internalKey, text);
  const convex = new ConvexHttpClient(url);
  const files = Object.entries(project(FILES)).filter(([path]) => path.startsWith("src/"));
  const write = async () => {
    for (let next = files.pop(); next !== undefined; next = files.pop()) {
      const [path, content] = next;
      await convex.mutation(api.system.writeFileByPath, { internalKey, projectId, path, content });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, write));
  const { messageId } = await messages.send({ conversationId, message: text });
  const watched = watchMessage(url, internalKey, messageId);
  try {
    return await within(FINAL_MS, `the final status of "${text}"`, watched.final);
  } finally {
    await watched.close();
  }
}

main().then(
  (code) => {
    process.stdout.write("", () => process.exit(code));
  },
  (error: unknown) => {
    process.stderr.write(`polaris: ${describe(error)}\n`);
    process.exit(1);
  },
);
