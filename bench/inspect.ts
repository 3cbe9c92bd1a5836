// What a generation pays after each step for being inspected: the whole project is loaded, indexed and
// looked at from nothing, as the step does it, in a process of its own.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generatedFiles } from "../local/model/personas/generate-project/index.ts";
import { Asked } from "./asked.ts";
import { digits, median } from "./report.ts";
import type { Suite } from "./suites.ts";

const FILES = 200;
const MAX_MS = 150;
/** Inspections in a round; each begins from nothing. */
const TIMES = 5;

export const inspect: Suite = async ({ harness, runs }) => {
  const folder = mkdtempSync(join(tmpdir(), "polaris-inspect-"));
  try {
    const file = join(folder, "project.json");
    const files = project();
    writeFileSync(file, JSON.stringify(files));
    const rounds: number[] = [];
    for (let n = 0; n < runs; n++) rounds.push(await round(harness.binaries, file));
    const ours = median(rounds);
    const bytes = Object.values(files).reduce((sum, text) => sum + text.length, 0);
    const metric = `inspection of ${FILES} generated files (${Math.round(bytes / 1024)} KiB)`;
    return [{ metric, unit: "ms", ours: digits(ours), atMost: MAX_MS, met: ours <= MAX_MS }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** The generated project as often as it takes, each in a folder of its own. */
function project(): Record<string, string> {
  const one = [...generatedFiles("A place for clients and what is to do for them", false)];
  const paths = Array.from({ length: FILES }, (_, n): [string, string] => {
    const [path, text] = one[n % one.length] ?? ["", ""];
    const copy = Math.floor(n / one.length);
    return [copy === 0 ? path : `packages/p${copy}/${path}`, text];
  });
  return Object.fromEntries(paths);
}

async function round(binaries: string, file: string): Promise<number> {
  const core = new Asked(join(binaries, "polaris-bench-tools"), [file], process.env);
  try {
    await core.ask({ op: "inspect" });
    const all: number[] = [];
    for (let n = 0; n < TIMES; n++) all.push((await core.ask({ op: "inspect" })).ms);
    return median(all);
  } finally {
    await core.close();
  }
}
