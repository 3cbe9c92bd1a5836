// What it costs to confine a command: the helper beside a plain spawn of the same program, one after
// the other, and many commands at once, after which nothing of them may be left.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, type Row } from "./report.ts";
import type { Suite } from "./suites.ts";

/** Goals for the median, ms. */
const GOALS = { kernel: 3, full: 6 } as const;
type Level = keyof typeof GOALS;
/** Pairs of a confined and a plain command in a round. */
const PAIRS = 30;
const AT_ONCE = 50;
const PROGRAM = "/bin/true";
/** The kind of a frame that holds the report (crates/sandbox/src/lib.rs). */
const REPORT = 3;
const HEADER = 5;
/** For root: an owner of the workspace that nobody else is. */
const OWNER = 1_750_000_000;

export const sandbox: Suite = async ({ harness, runs }) => {
  const helper = join(harness.binaries, "polaris-sandbox");
  const found = spawnSync(helper, ["--probe"], { encoding: "utf8" });
  if (found.status !== 0) throw new Error(`${helper} --probe failed: ${found.stderr}`);
  const probe = JSON.parse(found.stdout) as { level: string; reasons?: string[] };
  const levels: Level[] =
    probe.level === "full" ? ["kernel", "full"] : probe.level === "kernel" ? ["kernel"] : [];
  if (levels.length === 0) {
    throw new Error(`nothing confines commands here: ${probe.reasons?.join("; ")}`);
  }
  const places = Array.from({ length: AT_ONCE }, folders);
  try {
    return await measure(helper, levels, places, runs);
  } finally {
    for (const { base } of places) rmSync(base, { recursive: true, force: true });
  }
};

async function measure(helper: string, levels: Level[], places: Place[], runs: number) {
  const rows: Row[] = [];
  const [place] = places;
  if (place === undefined) throw new Error("there is no folder");
  for (const level of levels) {
    const [plain, added]: [number[], number[]] = [[], []];
    // The first pairs warm the page cache.
    for (let n = -5; n < PAIRS * runs; n++) {
      const one = await timed(() => plainly());
      const other = await timed(() => confined(helper, level, place));
      if (n < 0) continue;
      plain.push(one);
      added.push(other - one);
    }
    const ours = round(median(added));
    rows.push({
      metric: `confinement at level ${level} over a plain spawn`,
      unit: "ms",
      ours,
      peer: `plain spawn of ${PROGRAM}`,
      peerValue: round(median(plain)),
      atMost: GOALS[level],
      met: ours <= GOALS[level],
    });
  }
  for (const level of levels) {
    const before = alive();
    const ms = await timed(async () => {
      await Promise.all(places.map((place) => confined(helper, level, place)));
    });
    const left = alive() - before;
    const metric = `${AT_ONCE} commands at once at level ${level}`;
    rows.push({ metric, unit: "ms", ours: round(ms), met: null });
    rows.push({
      metric: `${metric}: processes left`,
      unit: "",
      ours: left,
      atMost: 0,
      met: left <= 0,
    });
  }
  return rows;
}

interface Place {
  base: string;
  workspace: string;
  temp: string;
}

function folders(): Place {
  const base = mkdtempSync(join(tmpdir(), "polaris-bench-sandbox-"));
  chmodSync(base, 0o711);
  const [workspace, temp] = [join(base, "project"), join(base, "temp")];
  for (const folder of [workspace, temp]) {
    mkdirSync(folder, { mode: 0o700 });
    if (process.getuid?.() === 0) chownSync(folder, OWNER, OWNER);
  }
  return { base, workspace, temp };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

async function plainly(): Promise<void> {
  const child = spawn(PROGRAM, { stdio: ["pipe", "pipe", "ignore"], env: {} as NodeJS.ProcessEnv });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${PROGRAM} ended with ${code}`);
}

/** As the core does it: a request, then what the helper answers, to its end. */
async function confined(helper: string, level: Level, { workspace, temp }: Place): Promise<void> {
  const request = {
    level,
    program: PROGRAM,
    argv: ["true"],
    env: [],
    cwd: workspace,
    workspace,
    temp,
  };
  const child = spawn(helper, { stdio: ["pipe", "pipe", "ignore"], env: {} as NodeJS.ProcessEnv });
  const parts: Buffer[] = [];
  child.stdout.on("data", (part: Buffer) => parts.push(part));
  child.stdin.write(`${JSON.stringify(request)}\n`);
  await once(child, "close");
  const ended = report(Buffer.concat(parts));
  if (ended !== '{"kind":"exited","code":0}') throw new Error(`at level ${level}: ${ended}`);
}

function report(frames: Buffer): string {
  for (let at = 0; at + HEADER <= frames.length; ) {
    const end = at + HEADER + frames.readUInt32BE(at + 1);
    if (frames[at] === REPORT) {
      const { ended } = JSON.parse(frames.toString("utf8", at + HEADER, end)) as { ended: unknown };
      return JSON.stringify(ended);
    }
    at = end;
  }
  return "no report";
}

/** Helpers, their guards and first processes, all of one name. */
function alive(): number {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return numbers.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("polaris-sandbo");
    } catch {
      return false;
    }
  }).length;
}

const round = (value: number) => Math.round(value * 100) / 100;
