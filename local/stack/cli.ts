// The official Trigger.dev CLI of a stack. Against the stand-in it is started with nothing but what
// the stack hands over; against the real service exactly as `npx trigger.dev dev` would be.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { type Cli, startCli } from "../control-plane/cli.ts";
import { type Exit, filteredEnv } from "../service.ts";
import type { StandIn } from "./stand-in.ts";

export interface CliSettings {
  cwd: string;
  home: string;
  env: Readonly<Record<string, string>>;
  branch?: string;
  /** Absent: the real Trigger.dev. */
  controlPlane: StandIn | undefined;
  log: (line: string) => void;
}

const GRACE_MS = 5_000;

export function startStackCli(settings: CliSettings): Promise<Cli> {
  const { cwd, home, env, branch, controlPlane, log } = settings;
  if (controlPlane === undefined) return startRealCli(settings);
  const { url, accessToken, secretKey, projectRef, adminKey } = controlPlane.info;
  return startCli({
    cwd,
    home,
    env,
    onLine: log,
    controlPlane: {
      url,
      accessToken: String(accessToken),
      secretKey: String(secretKey),
      projectRef: String(projectRef),
      adminKey: String(adminKey),
    },
    ...(branch === undefined ? {} : { branch }),
  });
}

/** Ready as soon as it says so itself; signing in and the like happens in its own words. */
async function startRealCli({ cwd, env, branch, log }: CliSettings): Promise<Cli> {
  const manifest = createRequire(import.meta.url).resolve("trigger.dev/package.json");
  const { bin } = createRequire(import.meta.url)(manifest) as { bin: { trigger: string } };
  const args = [resolve(manifest, "..", bin.trigger), "dev", "--skip-update-check"];
  if (branch !== undefined) args.push("--branch", branch);
  const child = spawn(process.execPath, args, {
    cwd,
    env: filteredEnv({ ...env, NO_COLOR: "1" }),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error("the trigger.dev CLI could not be started");
  let alive = true;
  const exited = new Promise<Exit>((settle) => {
    child.once("exit", (code, signal) => {
      alive = false;
      settle({ code, signal });
    });
  });
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      if (alive) process.kill(-pid, signal);
    } catch {
      child.kill(signal);
    }
  };
  process.once("exit", () => signalGroup("SIGKILL"));
  const ready = new Promise<void>((settle) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        log(line);
        if (/local worker ready/i.test(line)) settle();
      });
    }
  });
  const early = exited.then(({ code }): never => {
    throw new Error(`the trigger.dev CLI ended before it was ready (exit code ${code})`);
  });
  early.catch(() => undefined);
  await Promise.race([ready, early]);
  return {
    pid,
    worker: { id: "", version: "", tasks: [] },
    exited,
    watchdogPid: () => undefined,
    kill: (signal = "SIGKILL") => {
      signalGroup(signal);
      return exited;
    },
    close: async () => {
      signalGroup("SIGTERM");
      const timer = setTimeout(() => signalGroup("SIGKILL"), GRACE_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}
