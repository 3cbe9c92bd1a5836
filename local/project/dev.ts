// A Trigger.dev project on this machine, without an account: the local control plane, the Convex host
// if the project has functions for it, and the official CLI on top. The project knows nothing of it:
// what it needs to know stands in variables. It writes nowhere but into its state folder.

import { existsSync, readFileSync, watch } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Cli, startCli } from "../control-plane/cli.ts";
import { readPorts, writePorts } from "../stack/ports.ts";
import { StandIn } from "../stack/stand-in.ts";

export interface ProjectOptions {
  /** The folder with `trigger.config.ts`. */
  folder: string;
  /** Where state is kept, from start to start. */
  state: string;
  log: (part: "trigger" | "convex" | "worker", line: string) => void;
}

export interface RunningProject {
  controlPlane: { url: string; secretKey: string; projectRef: string };
  convex?: { url: string; internalKey: string };
  worker: { version: string; tasks: string[] };
  /** What the application needs to trigger tasks here, as lines of an env file. */
  variables: Readonly<Record<string, string>>;
  /** Settles when the CLI has ended by itself. */
  ended: Promise<number>;
  close(): Promise<void>;
}

/** What a person can act on. */
export class ProjectError extends Error {}

const CONFIGS = [
  "trigger.config.ts",
  "trigger.config.mts",
  "trigger.config.js",
  "trigger.config.mjs",
];
/** An editor saves several files at once. */
const RELOAD_PAUSE_MS = 150;

export async function startProject(options: ProjectOptions): Promise<RunningProject> {
  const { folder, state, log } = options;
  if (!CONFIGS.some((name) => existsSync(join(folder, name)))) {
    throw new ProjectError(
      `there is no trigger.config.ts in ${folder}. Run this in the folder of a Trigger.dev project; npx trigger.dev@latest init makes one.`,
    );
  }
  await mkdir(state, { recursive: true, mode: 0o700 });
  // The keys of this machine are nobody else's.
  await writeFile(join(state, ".gitignore"), "*\n");
  const functions = convexFunctions(folder);
  const ports = await readPorts(state);
  const standIn = (name: "convex" | "control-plane", args: string[], part: "trigger" | "convex") =>
    new StandIn({
      name,
      state,
      port: ports[name] ?? 0,
      args,
      supervise: true,
      log: (line) => log(part, line),
    });
  const plane = standIn("control-plane", [], "trigger");
  const convex =
    functions === undefined ? undefined : standIn("convex", ["--functions", functions], "convex");
  let cli: Cli | undefined;
  let stopWatching = (): void => undefined;
  const close = async (): Promise<void> => {
    stopWatching();
    // The CLI first: what it has to say goes to services that still listen.
    await cli?.close();
    await Promise.all([plane.close(), convex?.close()]);
  };
  try {
    await Promise.all([plane.start(), convex?.start()]);
    await writePorts(state, {
      ...ports,
      "control-plane": plane.port,
      ...(convex === undefined ? {} : { convex: convex.port }),
    });
    const controlPlane = {
      url: plane.info.url,
      secretKey: String(plane.info.secretKey),
      accessToken: String(plane.info.accessToken),
      projectRef: String(plane.info.projectRef),
      adminKey: String(plane.info.adminKey),
    };
    const store: Record<string, string> =
      convex === undefined
        ? {}
        : {
            CONVEX_URL: convex.info.url,
            NEXT_PUBLIC_CONVEX_URL: convex.info.url,
            POLARIS_CONVEX_INTERNAL_KEY: String(convex.info.internalKey),
          };
    cli = await startCli({
      cwd: folder,
      home: homedir(),
      controlPlane,
      // As in this terminal: it is the person's own project, with the person's own keys.
      env: { ...process.env, ...store },
      envFile: "project",
      onLine: (line) => log("worker", line),
      ...(hasOwnCli(folder) ? { cliFrom: folder } : {}),
    });
    if (convex !== undefined && functions !== undefined) {
      stopWatching = reloadOnChange(functions, convex, (line) => log("convex", line));
    }
    const { url, secretKey, projectRef } = controlPlane;
    return {
      controlPlane: { url, secretKey, projectRef },
      ...(convex === undefined
        ? {}
        : { convex: { url: convex.info.url, internalKey: String(convex.info.internalKey) } }),
      worker: { version: cli.worker.version, tasks: cli.worker.tasks },
      variables: {
        TRIGGER_API_URL: url,
        TRIGGER_SECRET_KEY: secretKey,
        TRIGGER_PROJECT_REF: projectRef,
        ...store,
      },
      ended: cli.exited.then(({ code }) => code ?? 1),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The folder of the project's Convex functions, if it has any. */
export function convexFunctions(folder: string): string | undefined {
  let named = "convex";
  try {
    const { functions } = JSON.parse(readFileSync(join(folder, "convex.json"), "utf8")) as {
      functions?: string;
    };
    named = functions ?? named;
  } catch {
    // Convex's own default holds.
  }
  const path = join(folder, named);
  return existsSync(path) ? path : undefined;
}

/** SDK and CLI of a project should be of one version, so its own CLI goes first. */
function hasOwnCli(folder: string): boolean {
  try {
    createRequire(join(folder, "package.json")).resolve("trigger.dev/package.json");
    return true;
  } catch {
    return false;
  }
}

/** As `convex dev` does: functions that were changed are served without a restart by hand. */
function reloadOnChange(functions: string, convex: StandIn, log: (line: string) => void) {
  let timer: NodeJS.Timeout | undefined;
  let reloading = Promise.resolve();
  const reload = async (): Promise<void> => {
    await convex.close();
    await convex.start();
    log("functions loaded again");
  };
  const watcher = watch(functions, { recursive: true }, (_, name) => {
    if (name?.startsWith("_generated")) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      reloading = reloading.then(reload).catch((error: unknown) => {
        log(error instanceof Error ? error.message : String(error));
      });
    }, RELOAD_PAUSE_MS);
  });
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}
