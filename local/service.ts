// What every local service has in common: the shape that callers hold, how a `main.ts` runs one as
// its own process, and how another process starts it and waits until it is ready.
// A service must never outlive the process that started it, never listen on anything but 127.0.0.1,
// and never see secrets that were not handed to it by name.

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, extname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { preparedProgram } from "./prepared.ts";

/** A running local service. `close` may be called any number of times. */
export interface Service {
  readonly url: string;
  close(): Promise<void>;
}

/** What every `startX` accepts. */
export interface ServiceOptions {
  /** 0 or absent: any free port. */
  port?: number;
  /** Folder for everything the service keeps; created when missing. Absent: nothing is kept. */
  state?: string;
}

/** The command line of a `main.ts`, parsed. */
export interface ServiceFlags extends ServiceOptions {
  /** Every other `--name value`, `--name=value` or bare `--name` (which reads as "true"). */
  flags: Readonly<Record<string, string>>;
}

/** A value that can stand in the ready line. */
export type ReadyValue =
  | string
  | number
  | boolean
  | null
  | ReadyValue[]
  | { [k: string]: ReadyValue };

/** What `spawnService` learnt from the ready line. */
export interface ReadyInfo {
  service: string;
  url: string;
  pid: number;
  [key: string]: ReadyValue | undefined;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface SpawnedService extends Service {
  /** The whole ready line: `url` and whatever keys the service hands out. */
  readonly info: ReadyInfo;
  readonly pid: number;
  readonly child: ChildProcess;
  /** Settles when the process is gone, however it went. */
  readonly exited: Promise<Exit>;
  /** Sends a signal (default SIGKILL) and settles when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<Exit>;
}

export interface SpawnOptions {
  args?: readonly string[];
  /** Added to the filtered environment; `undefined` removes a name. */
  env?: Readonly<Record<string, string | undefined>>;
  /** One line of the service's log (its stderr). Absent: kept only for error messages. */
  onLog?: (line: string) => void;
  readyTimeoutMs?: number;
  /** How long `close` waits after SIGTERM before it sends SIGKILL. */
  graceMs?: number;
}

const READY_TIMEOUT_MS = 60_000;
const GRACE_MS = 5_000;
/** A signal may come from the terminal and from a parent that passes it on. */
const SAME_SIGNAL_MS = 300;
/** The folder of this file: as source with a loader, or compiled in the published package. */
const HERE = dirname(fileURLToPath(import.meta.url));
const EXTENSION = extname(fileURLToPath(import.meta.url));
const REPOSITORY = resolve(HERE, "..");

/** Names that a local process gets only when they are handed to it explicitly. */
const PRODUCT_VARIABLES =
  /^(POLARIS_|TRIGGER_|CONVEX_|NEXT_PUBLIC_|SENTRY_|OPENROUTER_|CEREBRAS_|FIRECRAWL_|AUTUMN_|STACK_|ANTHROPIC_|OPENAI_)/;
const SECRET_LOOKING = /(SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|PRIVATE_?KEY|CREDENTIAL|_DSN|AUTH)/i;
/** Would make a child believe that it is a file of somebody else's test run. */
const TEST_RUNNER_VARIABLES = /^NODE_TEST_(CONTEXT|WORKER_ID)$/;
/** Look secret by name, but name a socket or a switch that tools need. */
const HARMLESS = new Set(["SSH_AUTH_SOCK", "DISABLE_AUTH"]);

/** The environment for a child: the machine's own settings, no product variable, nothing secret. */
export function filteredEnv(
  extra: Readonly<Record<string, string | undefined>> = {},
  from: Readonly<Record<string, string | undefined>> = process.env,
): NodeJS.ProcessEnv {
  const env: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(from)) {
    if (value === undefined || TEST_RUNNER_VARIABLES.test(name)) continue;
    if (PRODUCT_VARIABLES.test(name)) continue;
    if (SECRET_LOOKING.test(name) && !HARMLESS.has(name)) continue;
    env[name] = value;
  }
  for (const [name, value] of Object.entries(extra)) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  // Next.js declares NODE_ENV as always set; it need not be.
  return env as NodeJS.ProcessEnv;
}

/** Reads `--port N --state DIR --parent-stdin` and a service's own flags. */
export function parseServiceFlags(
  argv: readonly string[],
): ServiceFlags & { parentStdin: boolean } {
  const flags: Record<string, string> = {};
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? "";
    if (!argument.startsWith("--")) throw new Error(`unexpected argument: ${argument}`);
    const equals = argument.indexOf("=");
    if (equals > 0) {
      flags[argument.slice(2, equals)] = argument.slice(equals + 1);
      continue;
    }
    const next = argv[i + 1];
    if (next !== undefined && !next.startsWith("--")) {
      flags[argument.slice(2)] = next;
      i++;
    } else {
      flags[argument.slice(2)] = "true";
    }
  }
  const { port, state, "parent-stdin": parentStdin, ...own } = flags;
  const result: ServiceFlags & { parentStdin: boolean } = {
    flags: own,
    parentStdin: parentStdin === "true",
  };
  if (port !== undefined) {
    const number = Number(port);
    if (!Number.isInteger(number) || number < 0 || number > 65_535) {
      throw new Error(`--port takes a number from 0 to 65535, not "${port}"`);
    }
    result.port = number;
  }
  if (state !== undefined) result.state = resolve(state);
  return result;
}

/**
 * A random key that belongs to one installation: made once, kept in `<state>/<name>` for its owner
 * alone. Without a state folder it lives as long as the process.
 */
export async function installationKey(state: string | undefined, name: string): Promise<string> {
  const fresh = randomBytes(24).toString("base64url");
  if (state === undefined) return fresh;
  await mkdir(state, { recursive: true });
  const path = join(state, name);
  try {
    await writeFile(path, fresh, { flag: "wx", mode: 0o600 });
    return fresh;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return (await readFile(path, "utf8")).trim();
  }
}

/**
 * The body of a `main.ts`: starts the service, prints the ready line, ends with the process that
 * asked for it. Every plain value that `start` returns (own properties: keys, DSN, …) and everything
 * in its `info` goes into the ready line; functions and objects of the service do not.
 */
export async function runService<T extends Service>(
  name: string,
  start: (flags: ServiceFlags) => Promise<T & { info?: Record<string, ReadyValue> }>,
): Promise<void> {
  let service: Service | undefined;
  let ending = false;
  let endingSince = 0;
  const end = (): void => {
    if (ending) return;
    ending = true;
    endingSince = Date.now();
    const timer = setTimeout(() => {
      process.stderr.write(`${name}: did not close in ${GRACE_MS} ms\n`);
      process.exit(1);
    }, GRACE_MS);
    timer.unref();
    Promise.resolve(service?.close()).then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${name}: close failed: ${describe(error)}\n`);
        process.exit(1);
      },
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      // A second signal, sent on purpose, ends the process at once.
      if (ending && Date.now() - endingSince > SAME_SIGNAL_MS) process.exit(130);
      end();
    });
  }
  // A reader that went away (the parent died) must not turn the last log line into a crash.
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
  try {
    const { parentStdin, ...flags } = parseServiceFlags(process.argv.slice(2));
    if (parentStdin) {
      process.stdin.on("end", end);
      process.stdin.on("error", end);
      process.stdin.resume();
    }
    if (flags.state !== undefined) await mkdir(flags.state, { recursive: true });
    const started = await start(flags);
    service = started;
    if (ending) {
      await started.close();
      process.exit(0);
    }
    const ready: Record<string, unknown> = { service: name, url: started.url, pid: process.pid };
    for (const [key, value] of Object.entries(started)) {
      if (key !== "info" && isPlain(value)) ready[key] = value;
    }
    Object.assign(ready, started.info ?? {});
    process.stdout.write(`${JSON.stringify(ready)}\n`);
  } catch (error) {
    process.stderr.write(`${name}: could not start: ${describe(error)}\n`);
    process.exit(1);
  }
}

/**
 * Starts `<name>/main.ts`, beside this file, as its own process and waits for its ready line. The process ends
 * with ours, whatever happens to us: its standard input is a pipe that only we hold open.
 */
export function spawnService(name: string, options: SpawnOptions = {}): Promise<SpawnedService> {
  const source = resolve(HERE, name, `main${EXTENSION}`);
  const main = EXTENSION === ".ts" ? (preparedProgram(name) ?? source) : source;
  return spawnMain(name, main, options);
}

/** Like `spawnService`, for a `main.ts` that stands elsewhere. */
export function spawnMain(
  name: string,
  main: string,
  options: SpawnOptions = {},
): Promise<SpawnedService> {
  const child = spawn(
    process.execPath,
    [...loaderOf(main), main, "--parent-stdin", ...(options.args ?? [])],
    {
      cwd: REPOSITORY,
      env: filteredEnv(options.env),
      stdio: ["pipe", "pipe", "pipe"],
      // Its own process group: Ctrl-C in a terminal reaches us alone, and we close in the right order.
      detached: true,
    },
  );
  const lastLines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    lastLines.push(line);
    if (lastLines.length > 20) lastLines.shift();
    options.onLog?.(line);
  });
  child.stdin.on("error", () => undefined);

  let gone = false;
  const exited = new Promise<Exit>((settle) => {
    child.once("close", (code, signal) => {
      gone = true;
      settle({ code, signal });
    });
  });
  const kill = (signal: NodeJS.Signals = "SIGKILL"): Promise<Exit> => {
    if (!gone) signalGroup(child, signal);
    return exited;
  };
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= endProcess(child, exited, () => gone, options.graceMs ?? GRACE_MS);
    return closing;
  };

  return new Promise<SpawnedService>((settle, fail) => {
    let decided = false;
    const giveUp = (reason: string): void => {
      if (decided) return;
      decided = true;
      clearTimeout(timer);
      const log = lastLines.length > 0 ? `\n${lastLines.map((l) => `  ${l}`).join("\n")}` : "";
      void kill().then(() => fail(new Error(`${name} ${reason}${log}`)));
      if (child.pid === undefined) fail(new Error(`${name} ${reason}${log}`));
    };
    const timeoutMs = options.readyTimeoutMs ?? READY_TIMEOUT_MS;
    const timer = setTimeout(() => giveUp(`was not ready after ${timeoutMs} ms`), timeoutMs);
    child.once("error", (error) => giveUp(`could not be started: ${error.message}`));
    void exited.then(({ code, signal }) =>
      giveUp(`ended before it was ready (${signal ?? `exit code ${code}`})`),
    );
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (decided) {
        options.onLog?.(line);
        return;
      }
      const info = parseReady(line);
      if (info === undefined) {
        giveUp(`printed something else than its ready line: ${line.slice(0, 200)}`);
        return;
      }
      decided = true;
      clearTimeout(timer);
      const pid = child.pid ?? info.pid;
      settle({ url: info.url, info, pid, child, exited, kill, close });
    });
  });
}

function loaderOf(main: string): string[] {
  return main.endsWith(".ts") ? ["--import", import.meta.resolve("tsx")] : [];
}

async function endProcess(
  child: ChildProcess,
  exited: Promise<Exit>,
  isGone: () => boolean,
  graceMs: number,
): Promise<void> {
  if (isGone()) return;
  child.kill("SIGTERM");
  const timer = setTimeout(() => signalGroup(child, "SIGKILL"), graceMs);
  await exited;
  clearTimeout(timer);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

function parseReady(line: string): ReadyInfo | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null) return undefined;
    const ready = value as Record<string, unknown>;
    return typeof ready.url === "string" ? (value as ReadyInfo) : undefined;
  } catch {
    return undefined;
  }
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
