// The production build of the app, made when there is none or a source is newer. As a program it makes
// the build: node --import tsx local/app/build.ts

import { spawn } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { filteredEnv } from "../service.ts";
import { APP_FOLDER, BUILD_FOLDER } from "./index.ts";

const SOURCES = [
  "src",
  "convex",
  "public",
  "package.json",
  "next.config.ts",
  "../package-lock.json",
];
const LAST_LINES = 40;

/** Why the app has to be built; undefined: the build is newer than its sources. */
export function staleBuild(): string | undefined {
  const built = changedAt(join(BUILD_FOLDER, "BUILD_ID"));
  if (built === 0) return "it has not been built";
  for (const source of SOURCES) {
    const newest = newestIn(join(APP_FOLDER, source));
    if (newest.at > built) return `${newest.path.slice(APP_FOLDER.length + 1)} is newer`;
  }
  return undefined;
}

export async function buildApp(): Promise<void> {
  const next = createRequire(join(APP_FOLDER, "package.json")).resolve("next/dist/bin/next");
  const child = spawn(process.execPath, [next, "build"], {
    cwd: APP_FOLDER,
    env: filteredEnv({
      POLARIS_ENV_FILE: "none",
      NEXT_TELEMETRY_DISABLED: "1",
      NODE_ENV: "production",
    }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killChild = (): void => void child.kill("SIGKILL");
  process.once("exit", killChild);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (part: Buffer) => {
      output += part.toString();
    });
  }
  const code = await new Promise<number | null>((settle, fail) => {
    child.once("error", fail);
    child.once("close", settle);
  });
  process.off("exit", killChild);
  if (code === 0) return;
  const words = output.trim().split("\n").slice(-LAST_LINES).join("\n");
  throw new Error(`the app could not be built (exit code ${code})\n${words}`);
}

/** Builds what is stale; `say` hears why. */
export async function ensureBuild(say: (line: string) => void): Promise<void> {
  const why = staleBuild();
  if (why === undefined) return;
  say(`building the app: ${why}`);
  await buildApp();
}

function changedAt(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

function newestIn(path: string): { at: number; path: string } {
  const found = { at: changedAt(path), path };
  let names: string[];
  try {
    names = readdirSync(path);
  } catch {
    return found;
  }
  // A folder's own time says only that a name came or went, which a deletion does, too.
  let newest = found;
  for (const name of names) {
    // Not part of the build.
    if (/\.test\.tsx?$/.test(name)) continue;
    const inner = newestIn(join(path, name));
    if (inner.at > newest.at) newest = inner;
  }
  return newest;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await buildApp().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
