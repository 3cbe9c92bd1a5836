// `polaris-agent dev`: finds the package with the local stack and runs its program in this project.
// The stack is a package of its own, because a deployed worker has no use for it.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { packageRoot } from "../native.ts";
import { packageVersion } from "../version.ts";

const LOCAL = "polaris-agent-local";
const WANTED = `${LOCAL}@${packageVersion}`;

export async function dev(args: string[]): Promise<number> {
  const program = findProgram([process.cwd(), packageRoot]);
  if (program !== undefined) return await run(process.execPath, [program, ...args]);
  process.stderr.write(
    `polaris-agent: fetching ${WANTED}; to keep it: npm install --save-dev ${WANTED}\n`,
  );
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const fetch = ["exec", "--yes", `--package=${WANTED}`, "--", LOCAL];
  return await run(npm, [...fetch, ...args]);
}

function findProgram(places: readonly string[]): string | undefined {
  for (const place of places) {
    try {
      const manifest = createRequire(join(place, "package.json")).resolve(`${LOCAL}/package.json`);
      const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: Record<string, string> };
      const path = bin[LOCAL];
      if (path !== undefined) return join(dirname(manifest), path);
    } catch {
      // Not installed there.
    }
  }
  return undefined;
}

/** Runs it in this terminal; its exit code is ours. */
function run(program: string, args: readonly string[]): Promise<number> {
  return new Promise((settle) => {
    const child = spawn(program, args, {
      stdio: "inherit",
      shell: process.platform === "win32" && program.endsWith(".cmd"),
    });
    // A terminal sends Ctrl-C to both: the child ends first, and in its own order.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => child.kill(signal));
    }
    child.once("error", (error) => {
      process.stderr.write(`polaris-agent: ${program} could not be started: ${error.message}\n`);
      settle(127);
    });
    child.once("exit", (code, signal) => settle(code ?? (signal === "SIGINT" ? 130 : 143)));
  });
}
