// What the package costs a process before it does anything: the time of `require` or `import` with its
// addon, and the memory that this takes, each in a new process that measures itself.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { median, type Row } from "./report.ts";
import type { Suite } from "./suites.ts";

const MAX_REQUIRE_MS = 20;
const MAX_MB = 12;
/** Processes per round: one start says little. */
const STARTS = 9;
const ROOT = fileURLToPath(new URL("..", import.meta.url));

const LOAD = {
  commonjs: 'require("polaris-agent")',
  module: 'await import("polaris-agent")',
};

const childOf = (load: string): string => `
const rss = () => { globalThis.gc?.(); return process.memoryUsage.rss(); };
const before = rss();
const begun = performance.now();
const polaris = ${load};
const required = performance.now();
polaris.diagnostics();
const loaded = performance.now();
console.log(JSON.stringify({ package: required - begun, all: loaded - begun, bytes: rss() - before }));
`;

interface Start {
  package: number;
  all: number;
  bytes: number;
}

export const startup: Suite = async ({ harness, runs }) => {
  const required: Start[] = [];
  const imported: Start[] = [];
  for (let n = 0; n <= runs * STARTS; n++) {
    const asRequired = await start("commonjs", harness.addon);
    const asImported = await start("module", harness.addon);
    // The first brings the files into the page cache.
    if (n === 0) continue;
    required.push(asRequired);
    imported.push(asImported);
  }
  const row = (
    metric: string,
    unit: string,
    starts: readonly Start[],
    of: (start: Start) => number,
    atMost?: number,
  ): Row => {
    const ours = Math.round(median(starts.map(of)) * 100) / 100;
    const limits = atMost === undefined ? { met: null } : { atMost, met: ours <= atMost };
    return { metric: `${metric}, median of ${starts.length}`, unit, ours, ...limits };
  };
  return [
    row("require, with the addon", "ms", required, ({ all }) => all, MAX_REQUIRE_MS),
    row("require, without the addon", "ms", required, (each) => each.package),
    row("memory of both", "MB", required, ({ bytes }) => bytes / 1e6, MAX_MB),
    row("import, with the addon", "ms", imported, ({ all }) => all),
    row("import: memory of both", "MB", imported, ({ bytes }) => bytes / 1e6, MAX_MB),
  ];
};

async function start(kind: keyof typeof LOAD, addon: string | undefined): Promise<Start> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--expose-gc", `--input-type=${kind}`, "--eval", childOf(LOAD[kind])],
    {
      cwd: ROOT,
      env: {
        ...process.env,
        ...(addon === undefined ? {} : { POLARIS_NATIVE_LIBRARY_PATH: addon }),
      },
    },
  );
  return JSON.parse(stdout) as Start;
}
