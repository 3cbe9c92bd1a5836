// npm start: the whole product on this machine. What `.env.local` names is used for real, everything
// else by its stand-in; state lives in `.polaris/`. Prints a table, then readable logs, until Ctrl-C.

import { watchFile } from "node:fs";
import { ensureBuild } from "../app/build.ts";
import { type Part, type Stack, startStack } from "../stack/index.ts";
import { ENV_FILE, readSettings } from "./env-file.ts";
import { formatTable } from "./format.ts";
import { bold, codeOf, describe, dim, onInterrupt, STATE } from "./lifecycle.ts";
import { findRunningStack, removeStackFile, writeStackFile } from "./stack-file.ts";

const ENV_FILE_CHECK_MS = 1_000;
/** Where Next.js is by default, too. */
const APP_PORT = 3000;

const PART_NAMES: Readonly<Record<Part | "stack", string>> = {
  convex: "convex",
  "control-plane": "trigger",
  model: "model",
  firecrawl: "scrape",
  sentry: "sentry",
  cli: "worker",
  app: "app",
  stack: "polaris",
};

function log(part: Part | "stack", line: string): void {
  const text = line.trimEnd();
  if (text === "") return;
  const time = new Date().toTimeString().slice(0, 8);
  process.stdout.write(`${dim(`${time} ${PART_NAMES[part].padEnd(8)}`)} ${text}\n`);
}

async function noteRunning({ env, seeded }: Stack): Promise<void> {
  await writeStackFile(STATE, {
    pid: process.pid,
    env: { ...env },
    ...(seeded === undefined ? {} : { seeded }),
  });
}

/** A model key that is added, changed or removed counts at once; the rest with the next start. */
function followSettings(stack: Stack): void {
  let working = Promise.resolve();
  watchFile(ENV_FILE, { interval: ENV_FILE_CHECK_MS }, () => {
    working = working
      .then(async () => {
        if (!(await stack.useModel(await readSettings()))) return;
        await noteRunning(stack);
        const model = stack.table.find(({ service }) => service === "Model");
        log("stack", `.env.local has changed; the model is now ${model?.url ?? "another"}`);
      })
      .catch((error: unknown) => log("stack", `.env.local: ${describe(error)}`));
  });
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

  process.stderr.write("polaris: starting the services, the app and the Trigger.dev CLI ...\n");
  if (settings.NEXT_PUBLIC_CONVEX_URL && !settings.NEXT_PUBLIC_STACK_PROJECT_ID) {
    process.stderr.write(
      "polaris: Convex is real and sign-in is not: its deployment does not believe the developer of this machine. Set NEXT_PUBLIC_STACK_PROJECT_ID too.\n",
    );
  }
  const mode = process.argv.includes("--production") ? "production" : "development";
  if (mode === "production") {
    await ensureBuild((line) => process.stderr.write(`polaris: ${line}\n`));
  }
  const pace = Number(process.env.POLARIS_MODEL_PACE || Number.NaN);
  stack = await startStack({
    state: STATE,
    settings,
    supervise: true,
    log,
    signal: starting.signal,
    app: mode,
    appPort: APP_PORT,
    ...(pace >= 0 ? { pace } : {}),
  });
  await noteRunning(stack);
  followSettings(stack);
  process.stdout.write(`\n${formatTable(stack.table)}\n\n`);
  process.stdout.write(
    `Ready: ${bold(stack.app?.url ?? "")}. In another terminal: ${bold('npm run say -- "add a dark mode toggle"')}. Ctrl-C ends everything; state stays in .polaris/.\n\n`,
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`polaris: ${describe(error)}\n`);
  process.exit(process.exitCode ?? 1);
});
