// npm start: the whole product on this machine. What `.env.local` names is used for real, everything
// else by its stand-in; state lives in `.polaris/`. Prints a table as soon as there is a page to look at,
// then readable logs, until Ctrl-C.
//   --dev          the app with hot reload; else its production build, while that is what the sources say
//   --port N       where the app is to be (3000; 0: any free one)
//   --state DIR    where everything is kept (.polaris)

import { watchFile } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { staleBuild } from "../app/build.ts";
import type { AppMode } from "../app/index.ts";
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

async function noteRunning({ state, env, seeded }: Stack): Promise<void> {
  await writeStackFile(state, {
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

/** Also `npm start -- --production`, as it was before that was the default. */
function flags() {
  const { values } = parseArgs({
    options: {
      dev: { type: "boolean", default: false },
      production: { type: "boolean", default: false },
      port: { type: "string", default: String(APP_PORT) },
      state: { type: "string", default: STATE },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`--port takes a number from 0 to 65535, not "${values.port}"`);
  }
  return { ...values, port, state: resolve(values.state) };
}

/** A page of the production build is there at once; one with hot reload is compiled when it is opened. */
function modeOf({ dev, production }: { dev: boolean; production: boolean }): AppMode {
  if (dev) return "development";
  const why = staleBuild();
  if (why === undefined || production) return "production";
  process.stderr.write(
    `polaris: the app is started with hot reload, its production build is old (${why}); to build it: npm run build -w app\n`,
  );
  return "development";
}

async function main(): Promise<void> {
  const { state, port, ...given } = flags();
  const running = await findRunningStack(state);
  if (running !== undefined) {
    process.stderr.write(
      `polaris: a stack is already running on ${state === STATE ? ".polaris/" : state} (process ${running.pid}). Stop it with Ctrl-C there, or talk to it with: npm run say -- "hello"\n`,
    );
    process.exit(1);
  }
  const settings = await readSettings();
  let stack: Stack | undefined;
  const starting = new AbortController();
  const end = async (code: number): Promise<never> => {
    removeStackFile(state);
    await stack?.close();
    process.exit(code);
  };
  onInterrupt((signal) => {
    process.stderr.write(`\npolaris: stopping (${signal}); once more to stop at once\n`);
    if (stack !== undefined) void end(0);
    process.exitCode = codeOf(signal);
    starting.abort();
  });
  process.on("exit", () => removeStackFile(state));

  process.stderr.write("polaris: starting the services and the app ...\n");
  if (settings.NEXT_PUBLIC_CONVEX_URL && !settings.NEXT_PUBLIC_STACK_PROJECT_ID) {
    process.stderr.write(
      "polaris: Convex is real and sign-in is not: its deployment does not believe the developer of this machine. Set NEXT_PUBLIC_STACK_PROJECT_ID too.\n",
    );
  }
  const pace = Number(process.env.POLARIS_MODEL_PACE || Number.NaN);
  stack = await startStack({
    state,
    settings,
    supervise: true,
    log,
    signal: starting.signal,
    app: modeOf(given),
    appPort: port,
    appEnv: { POLARIS_DEMO_ROUTES: "allowed" },
    onApp: (early) => {
      process.stdout.write(`\n${formatTable(early.table)}\n\n`);
      process.stdout.write(
        `Ready: ${bold(early.app?.url ?? "")}. In another terminal: ${bold('npm run say -- "add a dark mode toggle"')}. Ctrl-C ends everything; state stays in ${state === STATE ? ".polaris/" : state}.\n\n`,
      );
      log(
        "stack",
        "the Trigger.dev CLI is building the tasks; what is sent meanwhile waits for it",
      );
      void noteRunning(early);
    },
    ...(pace >= 0 ? { pace } : {}),
  });
  log("stack", "the tasks are ready");
  followSettings(stack);
}

main().catch((error: unknown) => {
  process.stderr.write(`polaris: ${describe(error)}\n`);
  process.exit(process.exitCode ?? 1);
});
