// npm start: the whole product on this machine. What `.env.local` names is used for real, everything
// else by its stand-in; state lives in `.polaris/`. Prints a table, then readable logs, until Ctrl-C.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { type Part, type Stack, startStack } from "../stack/index.ts";
import { type Settings, settingsFrom } from "../stack/services.ts";
import { formatTable } from "./format.ts";
import { bold, codeOf, describe, dim, onInterrupt, ROOT, STATE } from "./lifecycle.ts";
import { findRunningStack, removeStackFile, writeStackFile } from "./stack-file.ts";

const PART_NAMES: Readonly<Record<Part | "stack", string>> = {
  convex: "convex",
  "control-plane": "trigger",
  model: "model",
  firecrawl: "scrape",
  sentry: "sentry",
  cli: "worker",
  stack: "polaris",
};

async function readSettings(): Promise<Settings> {
  try {
    return settingsFrom(parseEnv(await readFile(join(ROOT, ".env.local"), "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

function log(part: Part | "stack", line: string): void {
  const text = line.trimEnd();
  if (text === "") return;
  const time = new Date().toTimeString().slice(0, 8);
  process.stdout.write(`${dim(`${time} ${PART_NAMES[part].padEnd(8)}`)} ${text}\n`);
}

async function main(): Promise<void> {
  const running = await findRunningStack(STATE);
  if (running !== undefined) {
    process.stderr.write(
      `polaris: a stack is already running on .polaris/ (process ${running.pid}). Stop it with Ctrl-C there, or talk to it with: npm run say -- "hello"\n`,
    );
    process.exit(1);
  }
  const settings = await readSettings();
  let stack: Stack | undefined;
  const starting = new AbortController();
  const end = async (code: number): Promise<never> => {
    removeStackFile(STATE);
    await stack?.close();
    process.exit(code);
  };
  onInterrupt((signal) => {
    process.stderr.write(`\npolaris: stopping (${signal}); once more to stop at once\n`);
    if (stack !== undefined) void end(0);
    process.exitCode = codeOf(signal);
    starting.abort();
  });
  process.on("exit", () => removeStackFile(STATE));

  process.stderr.write("polaris: starting the services and the Trigger.dev CLI ...\n");
  const pace = Number(process.env.POLARIS_MODEL_PACE || Number.NaN);
  stack = await startStack({
    state: STATE,
    settings,
    supervise: true,
    log,
    signal: starting.signal,
    ...(pace >= 0 ? { pace } : {}),
  });
  await writeStackFile(STATE, {
    pid: process.pid,
    env: { ...stack.env },
    ...(stack.seeded === undefined ? {} : { seeded: stack.seeded }),
  });
  process.stdout.write(`\n${formatTable(stack.table)}\n\n`);
  process.stdout.write(
    `Ready. In another terminal: ${bold('npm run say -- "add a dark mode toggle"')}. Ctrl-C ends everything; state stays in .polaris/.\n\n`,
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`polaris: ${describe(error)}\n`);
  process.exit(process.exitCode ?? 1);
});
