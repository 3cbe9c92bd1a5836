// The app as one service of a stack: the official `next dev`, or `next start` on a production build.
// Its process group is ours to end, and it ends by itself when we are gone.

import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Exit, filteredEnv } from "../service.ts";

export type AppMode = "development" | "production";

export interface AppOptions {
  mode: AppMode;
  /** 0: any free one. */
  port: number;
  /** All variables of the product that the app is to see. */
  env: Readonly<Record<string, string>>;
  log?: (line: string) => void;
}

export interface App {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  kill(): Promise<void>;
  close(): Promise<void>;
}

export const APP_FOLDER = fileURLToPath(new URL("../../app", import.meta.url));

const HOSTNAME = "127.0.0.1";
const READY_TIMEOUT_MS = 60_000;
const GRACE_MS = 5_000;
const LAST_LINES = 20;
const NEXT = createRequire(join(APP_FOLDER, "package.json")).resolve("next/dist/bin/next");
const END_WITH_US = fileURLToPath(new URL("./end-with-parent.mjs", import.meta.url));

export async function startApp({ mode, port, env, log }: AppOptions): Promise<App> {
  const chosen = port === 0 ? await freePort() : port;
  const command = mode === "production" ? "start" : "dev";
  const child = spawn(
    process.execPath,
    ["--import", END_WITH_US, NEXT, command, "--port", String(chosen), "--hostname", HOSTNAME],
    {
      cwd: APP_FOLDER,
      env: filteredEnv({
        // Only what the stack hands over counts.
        POLARIS_ENV_FILE: "none",
        NEXT_TELEMETRY_DISABLED: "1",
        NO_COLOR: "1",
        NODE_ENV: mode,
        ...env,
      }),
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    },
  );
  const { pid } = child;
  if (pid === undefined) throw new Error("Next.js could not be started");
  let gone = false;
  const exited = new Promise<Exit>((settle) => {
    child.once("close", (code, signal) => {
      gone = true;
      settle({ code, signal });
    });
  });
  const signal = (name: NodeJS.Signals): void => {
    if (!gone) signalGroup(child, name);
  };
  const atExit = (): void => signal("SIGKILL");
  process.once("exit", atExit);
  void exited.then(() => process.off("exit", atExit));
  child.stdin.on("error", () => undefined);

  const lastLines: string[] = [];
  const ready = new Promise<void>((settle) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lastLines.push(line);
        if (lastLines.length > LAST_LINES) lastLines.shift();
        log?.(line);
        if (/\bReady in\b/.test(line)) settle();
      });
    }
  });
  const failed = (why: string) => new Error(`the app ${why}\n${lastLines.join("\n")}`);
  const early = exited.then(({ code }): never => {
    throw failed(`ended before it was ready (exit code ${code})`);
  });
  early.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(
      () => fail(failed(`was not ready after ${READY_TIMEOUT_MS} ms`)),
      READY_TIMEOUT_MS,
    );
  });
  try {
    await Promise.race([ready, early, late]);
  } catch (error) {
    signal("SIGKILL");
    await exited;
    throw error;
  } finally {
    clearTimeout(timer);
  }
  if (mode === "development") await compiled(`http://${HOSTNAME}:${chosen}/`);
  return {
    url: `http://localhost:${chosen}`,
    port: chosen,
    pid,
    exited,
    kill: async () => {
      signal("SIGKILL");
      await exited;
    },
    close: async () => {
      // Told to end, `next dev` leaves a process of its own behind for telemetry, although that is off.
      signal(mode === "development" ? "SIGKILL" : "SIGTERM");
      const grace = setTimeout(() => signal("SIGKILL"), GRACE_MS);
      await exited;
      clearTimeout(grace);
    },
  };
}

/** In development a page is compiled when it is first asked for: better before a person asks. */
async function compiled(page: string): Promise<void> {
  const signal = AbortSignal.timeout(READY_TIMEOUT_MS);
  await fetch(page, { signal }).then(
    (response) => response.arrayBuffer(),
    () => undefined,
  );
}

function signalGroup(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid as number), name);
  } catch {
    child.kill(name);
  }
}

/** A free port of this machine; the one that is asked for, when it is free. */
export async function freePort(wanted = 0): Promise<number> {
  const probe = createServer();
  return await new Promise((settle) => {
    probe.once("error", () => settle(freePort()));
    probe.listen(wanted, HOSTNAME, () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => settle(port));
    });
  });
}

/** Where the production build is. */
export const BUILD_FOLDER = resolve(APP_FOLDER, ".next");
