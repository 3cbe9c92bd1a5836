// Starts the unmodified official CLI (`trigger.dev dev`) against a control plane and ends it again
// with everything that it started. It decides nothing about runs; it is the terminal that a person
// would have open. Its environment is filtered: a worker sees what is passed here, nothing else.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { type Exit, filteredEnv } from "../service.ts";

export interface CliOptions {
  /** The project folder: its `trigger.config.ts`, and a lockfile at or above it. */
  cwd: string;
  controlPlane: {
    url: string;
    accessToken: string;
    secretKey: string;
    projectRef: string;
    adminKey: string;
  };
  /** What the workers get beside the machine's own, harmless variables. */
  env?: Readonly<Record<string, string | undefined>>;
  /** A second CLI in the same folder needs a branch of its own, or they kill each other. */
  branch?: string;
  /**
   * The only env file that is read. Absent: none, so that a `.env*` of the project cannot change a
   * test. `"project"`: the CLI's own list (`.env`, `.env.local`, ...), as a person has it.
   */
  envFile?: string | "project";
  /** A scratch folder that serves as HOME: the CLI keeps its profile there. */
  home: string;
  /** The folder whose installed CLI is used. Absent: the one that this file finds. */
  cliFrom?: string;
  onLine?: (line: string) => void;
  readyTimeoutMs?: number;
  graceMs?: number;
}

export interface Cli {
  readonly pid: number;
  /** The version that was registered first; a hot reload registers further ones. */
  readonly worker: { id: string; version: string; tasks: string[] };
  readonly exited: Promise<Exit>;
  /** The CLI's watchdog: a process of its own that reports running runs when the CLI has died. */
  watchdogPid(): number | undefined;
  /** Ends the CLI and waits until everything that it started is gone. May be called again. */
  close(): Promise<void>;
  /** Sends a signal to the CLI alone, as a crash would hit it; settles when it has exited. */
  kill(signal?: NodeJS.Signals): Promise<Exit>;
}

const READY_TIMEOUT_MS = 90_000;
const GRACE_MS = 5_000;
/** The watchdog looks once a second and then makes one request. */
const WATCHDOG_GRACE_MS = 4_000;
const KEPT_LINES = 60;

export async function startCli(options: CliOptions): Promise<Cli> {
  const { controlPlane, branch } = options;
  const cwd = resolve(options.cwd);
  const home = resolve(options.home);
  mkdirSync(home, { recursive: true });
  const newest = await newestEvent(controlPlane);
  const child = spawn(
    process.execPath,
    [cliEntry(options.cliFrom), "dev", ...flags(options, home)],
    {
      cwd,
      env: environment(options, home),
      stdio: ["pipe", "pipe", "pipe"],
      // A process group of its own: it can be ended as a whole, and Ctrl-C reaches only us.
      detached: true,
    },
  );
  const lines = readLines(child, options.onLine);
  const exited = exitOf(child);
  const { pid } = child;
  if (pid === undefined) {
    throw new Error(`the trigger.dev CLI could not be started: ${String((await exited).code)}`);
  }
  // Whatever ended the CLI, its workers go with it. (Its watchdog is not in the group.)
  const gone = exited.then((exit) => {
    signalGroup(pid, "SIGKILL");
    return exit;
  });

  const pidFile = join(cwd, ".trigger", `watchdog${suffixOf(branch)}.pid`);
  const activeRuns = join(cwd, ".trigger", `active-runs${suffixOf(branch)}.json`);
  let lastWatchdog: number | undefined;
  const watchdogPid = (): number | undefined => {
    lastWatchdog = readWatchdog(pidFile) ?? lastWatchdog;
    return lastWatchdog !== undefined && isAlive(lastWatchdog) ? lastWatchdog : undefined;
  };
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    watchdogPid();
    signal(pid, "SIGTERM");
    const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), options.graceMs ?? GRACE_MS);
    await gone;
    clearTimeout(timer);
    child.stdin?.destroy();
    await endWatchdog(watchdogPid, activeRuns);
    removeTraces(cwd, branch);
  };

  try {
    const worker = await registered(options, newest, gone);
    watchdogPid();
    return {
      pid,
      worker,
      exited: gone,
      watchdogPid,
      close: () => {
        closing ??= close();
        return closing;
      },
      kill: (name = "SIGKILL") => {
        watchdogPid();
        signal(pid, name);
        return gone;
      },
    };
  } catch (error) {
    await close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the trigger.dev CLI ${reason}\n${lines.map((line) => `  ${line}`).join("\n")}`,
    );
  }
}

function cliEntry(from?: string): string {
  const place = from === undefined ? import.meta.url : join(from, "package.json");
  const manifest = createRequire(place).resolve("trigger.dev/package.json");
  const { bin } = z
    .object({ bin: z.object({ trigger: z.string() }) })
    .parse(JSON.parse(readFileSync(manifest, "utf8")));
  return resolve(manifest, "..", bin.trigger);
}

function flags(options: CliOptions, home: string): string[] {
  const own = [
    "--skip-update-check",
    "--skip-telemetry",
    "--skip-platform-notifications",
    "--skip-mcp-install",
    "--skip-rules-install",
  ];
  if (options.branch !== undefined) own.push("--branch", options.branch);
  if (options.envFile === "project") return own;
  let file = options.envFile;
  if (file === undefined) {
    file = join(home, "none.env");
    writeFileSync(file, "");
  }
  return [...own, "--env-file", resolve(options.cwd, file)];
}

function environment(options: CliOptions, home: string): NodeJS.ProcessEnv {
  const { controlPlane } = options;
  const preload = pathToFileURL(fileURLToPath(new URL("./offline.mjs", import.meta.url))).href;
  return filteredEnv({
    // Colours and prompts are for terminals.
    NO_COLOR: "1",
    FORCE_COLOR: undefined,
    ...options.env,
    TRIGGER_ACCESS_TOKEN: controlPlane.accessToken,
    TRIGGER_API_URL: controlPlane.url,
    TRIGGER_PROJECT_REF: controlPlane.projectRef,
    TRIGGER_SECRET_KEY: controlPlane.secretKey,
    HOME: home,
    XDG_CONFIG_HOME: undefined,
    // With `=`, as one word: the CLI splits this variable at spaces when it starts its workers.
    NODE_OPTIONS: [options.env?.NODE_OPTIONS, `--import=${preload}`].filter(Boolean).join(" "),
    POLARIS_CLI_LIFELINE: "stdin",
  });
}

const Log = z.object({
  events: z.array(
    z.object({ seq: z.number(), type: z.string(), data: z.record(z.string(), z.unknown()) }),
  ),
});
const Registered = z.object({
  id: z.string(),
  version: z.string(),
  tasks: z.array(z.string()),
  branch: z.string().nullable(),
});

async function readLog(
  { url, adminKey }: CliOptions["controlPlane"],
  since: number,
  wait: number,
): Promise<z.infer<typeof Log>["events"]> {
  const response = await fetch(`${url}/admin/log?since=${since}&wait=${wait}`, {
    headers: { "x-polaris-admin": adminKey },
  });
  if (!response.ok) throw new Error(`got ${response.status} from the control plane's log`);
  return Log.parse(await response.json()).events;
}

async function newestEvent(controlPlane: CliOptions["controlPlane"]): Promise<number> {
  for (let newest = 0; ; ) {
    const events = await readLog(controlPlane, newest, 0);
    const last = events.at(-1);
    if (last === undefined) return newest;
    newest = last.seq;
  }
}

/** Waits on the control plane's log until this CLI has registered its tasks. */
async function registered(
  options: CliOptions,
  since: number,
  gone: Promise<Exit>,
): Promise<Cli["worker"]> {
  const timeoutMs = options.readyTimeoutMs ?? READY_TIMEOUT_MS;
  const until = Date.now() + timeoutMs;
  let exit: Exit | undefined;
  void gone.then((value) => {
    exit = value;
  });
  const early = gone.then(({ code, signal: name }): never => {
    throw new Error(`ended before it was ready (${name ?? `exit code ${code}`})`);
  });
  early.catch(() => undefined);
  let newest = since;
  while (Date.now() < until && exit === undefined) {
    const events = await Promise.race([readLog(options.controlPlane, newest, 2_000), early]);
    for (const event of events) {
      newest = event.seq;
      if (event.type !== "worker registered") continue;
      const worker = Registered.parse(event.data);
      if (worker.branch === (options.branch ?? null)) return worker;
    }
  }
  throw new Error(`registered no tasks in ${timeoutMs} ms`);
}

function readLines(child: ChildProcess, onLine: CliOptions["onLine"]): string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      onLine?.(line);
    });
  }
  child.stdin?.on("error", () => undefined);
  return lines;
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((settle) => {
    child.once("error", () => settle({ code: null, signal: null }));
    child.once("exit", (code, name) => settle({ code, signal: name }));
  });
}

/** With runs to report it is given the time to; without, there is nothing to wait for. */
async function endWatchdog(
  watchdogPid: () => number | undefined,
  activeRuns: string,
): Promise<void> {
  const hasRuns = /"run_/.test(readText(activeRuns));
  const first = watchdogPid();
  if (first !== undefined && !hasRuns) signal(first, "SIGTERM");
  const until = Date.now() + WATCHDOG_GRACE_MS;
  for (;;) {
    const pid = watchdogPid();
    if (pid === undefined) return;
    if (Date.now() > until) signal(pid, "SIGKILL");
    await sleep(25);
  }
}

/** What a killed CLI leaves of its branch; the folder of a default branch is a person's own. */
export function removeTraces(cwd: string, branch: string | undefined): void {
  const suffix = suffixOf(branch);
  if (suffix === "") return;
  const names = [
    `tmp${suffix}`,
    `dev.${suffix.slice(1)}.lock`,
    `active-runs${suffix}.json`,
    `watchdog${suffix}.pid`,
  ];
  for (const name of names) rmSync(join(cwd, ".trigger", name), { recursive: true, force: true });
}

function readWatchdog(file: string): number | undefined {
  const found = /^trigger-watchdog:(\d+)$/.exec(readText(file).trim());
  return found ? Number(found[1]) : undefined;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** How the CLI names its files of a branch in `.trigger`. */
function suffixOf(branch: string | undefined): string {
  if (branch === undefined || branch === "default") return "";
  const hash = createHash("sha1").update(branch).digest("hex").slice(0, 8);
  return `-${branch.replace(/[^a-zA-Z0-9-_]/g, "-")}-${hash}`;
}

function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  signal(-pid, name);
}
