// The code tools on generated projects: the core beside the replaced algorithms, call by call in turn,
// each in a process of its own that holds the project.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Answer, Asked } from "../asked.ts";
import { digits, median, type Row } from "../report.ts";
import type { Lab } from "../suites.ts";
import { pathOf, project } from "./project.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PEER = "the replaced algorithms, typescript 5.9.3";
const MIB = 1024;
/** A server that is still starting answers without types; that is no measurement of it. */
const UNTYPED = /without type information|syntax only/;

interface Case {
  name: string;
  tool: string;
  args: object;
  /** Times better than the peer, by the number of files. */
  goal: Record<number, number>;
  /**
   * How often each is asked in a row, once if it is absent. Of a call of some microseconds, the caches that
   * the other has emptied are most; the first of a row has a row of its own, with the same goal.
   */
  inARow?: number;
  /** The peer is not asked: the goal names no ratio here, and it takes minutes. */
  alone?: readonly number[];
  typed?: true;
}

function cases(count: number): Case[] {
  const middle = Math.floor(count / 2);
  const path = pathOf(middle, count);
  // In the last line but two: `compute` of another file, called.
  const place = { path, line: 1, column: 11 };
  return [
    {
      name: "searchFiles, literal",
      tool: "searchFiles",
      args: { pattern: `marker-${middle}-end` },
      goal: { 1000: 10, 10000: 20 },
    },
    {
      name: "searchFiles, regex with few hits",
      tool: "searchFiles",
      args: { pattern: `marker-(${middle}|${middle + 1})-e\\w+` },
      goal: { 1000: 5, 10000: 5 },
    },
    {
      name: "findFilesByPattern",
      tool: "findFilesByPattern",
      args: { pattern: "src/**/module*7.ts" },
      goal: { 1000: 7, 10000: 30 },
      inARow: 20,
    },
    {
      name: "searchCodebase, one type",
      tool: "searchCodebase",
      args: { patternType: "function", searchTerm: `compute${middle}` },
      goal: { 1000: 10, 10000: 4 },
    },
    {
      name: "searchCodebase, all",
      tool: "searchCodebase",
      args: { patternType: "all", searchTerm: `store${middle}` },
      goal: { 1000: 25, 10000: 25 },
    },
    {
      name: "getRelevantFiles, facts cached",
      tool: "getRelevantFiles",
      args: { query: `compute${middle} total`, currentFile: path },
      goal: { 1000: 50, 10000: 500 },
    },
    {
      name: "getReferences, warm",
      tool: "getReferences",
      args: place,
      goal: { 1000: 150 },
      alone: [10_000],
      typed: true,
    },
    {
      name: "goToDefinition, warm",
      tool: "goToDefinition",
      args: place,
      goal: { 1000: 500 },
      alone: [10_000],
      typed: true,
    },
  ];
}

export async function tools({ harness, sizes, runs }: Lab): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "polaris-tools-"));
  try {
    const rows: Row[] = [];
    for (const count of sizes.toolFiles) {
      const files = project(count);
      const file = join(folder, `${count}.json`);
      writeFileSync(file, JSON.stringify(files));
      const measured: Round[] = [];
      for (let n = 0; n < runs; n++) {
        measured.push(await round(harness.binaries, file, files, count, sizes.toolCalls, n));
      }
      rows.push(...rowsOf(count, measured));
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** ms by name, ours and the peer's. */
type Round = Map<string, { ours: number; peer?: number | undefined }>;

async function round(
  binaries: string,
  file: string,
  files: Record<string, string>,
  count: number,
  calls: number,
  n: number,
): Promise<Round> {
  const server = languageServer();
  const env: NodeJS.ProcessEnv = { ...process.env, POLARIS_TYPESCRIPT_PATH: server ?? "off" };
  const ours = new Asked(join(binaries, "polaris-bench-tools"), [file], env);
  const peer = new Asked(process.execPath, [join(HERE, "replaced-child.mjs"), file], env);
  const result: Round = new Map();
  const call = (tool: string, args: object) => ({ op: "call", tool, args });
  const quiet = () => Promise.all([ours.rest(), peer.rest()]);
  const mine = async (request: object, needsTypes = false) => {
    await quiet();
    return needsTypes ? typed(ours, request) : ours.ask(request);
  };
  const theirs = async (request: object) => {
    await quiet();
    return (await peer.ask(request)).ms;
  };
  try {
    // Whoever answers has loaded the project.
    for (const who of [ours, peer]) await who.ask({ op: "memory" });
    const index = await mine({ op: "index" });
    result.set("index of the project, built once", { ours: index.ms });
    const path = pathOf(7, count);
    const content = files[path] ?? "";
    await ours.ask({ op: "extract", path, content });
    const one = await times(calls, () => mine({ op: "extract", path, content }));
    result.set("index of one edited file", { ours: median(one) });
    const all = cases(count);
    // The words of the project, by which a plain text is found, are made later; this loads its files.
    const load = call("searchFiles", { pattern: "marker-.*-end" });
    for (const who of [ours, peer]) await who.ask(load);
    const literal = call("searchFiles", all[0]?.args ?? {});
    const cold = { ours: (await mine(literal)).ms, peer: await theirs(literal) };
    result.set("searchFiles, literal, the first", cold);
    const relevant = all.find(({ tool }) => tool === "getRelevantFiles");
    const first = await mine(call("getRelevantFiles", relevant?.args ?? {}));
    result.set("getRelevantFiles, first call", { ours: first.ms });

    if (server !== undefined) {
      const diagnose = call("getDiagnostics", { path });
      const begun = await mine(diagnose, true);
      const peers = async () => (count > 1000 ? undefined : theirs(diagnose));
      result.set("getDiagnostics, first", { ours: begun.ms, peer: await peers() });
      const edits: Pair[] = [];
      for (let edit = 0; edit < calls; edit++) {
        const text = `${content}\nexport const edit${n}_${edit}: string = ${edit};\n`;
        for (const who of [ours, peer]) await who.ask({ op: "write", path, content: text });
        const { ms, text: told } = await mine(diagnose, true);
        if (!told?.includes("TS2322")) throw new Error(`the error was not found: ${told}`);
        edits.push({ ours: ms, peer: await peers() });
      }
      result.set("getDiagnostics, after an edit", best(edits));
    }
    for (const { name, tool, args, alone, typed: needsTypes, inARow = 1 } of all) {
      if (needsTypes && server === undefined) continue;
      const request = call(tool, args);
      const isAlone = alone?.includes(count) === true;
      // The slow one is asked seldom: its 10,000 files take long enough to be exact.
      const many = count >= 10_000 && tool === "getRelevantFiles" ? 1 : calls;
      // Warm both: the compiled code of both, and the index of ours.
      if (needsTypes) await typed(ours, request);
      else await ours.ask(request);
      if (!isAlone && many > 1) await peer.ask(request);
      const asked = async (who: Asked, first: number) => [
        first,
        ...(await times(inARow - 1, () => who.ask(request))),
      ];
      const rows: Pair[][] = [];
      for (let turn = 0; turn < many; turn++) {
        const { ms, text } = await mine(request, needsTypes);
        if (/^(?:No |Error)/.test(text ?? "")) throw new Error(`${name}: ${text}`);
        const own = await asked(ours, ms);
        const others = isAlone ? [] : await asked(peer, await theirs(request));
        rows.push(own.map((ms, at) => ({ ours: ms, peer: others[at] })));
      }
      result.set(name, best(rows.flat()));
      if (inARow > 1) result.set(firstOf(name), best(rows.flatMap((row) => row.slice(0, 1))));
    }
    const [own, other] = [await ours.ask({ op: "memory" }), await peer.ask({ op: "memory" })];
    result.set("peak RSS, the core with the project", {
      ours: (own.own ?? 0) / MIB,
      peer: (other.own ?? 0) / MIB,
    });
    if (own.server) result.set("peak RSS, the language server", { ours: own.server / MIB });
    return result;
  } finally {
    await Promise.all([ours.close(), peer.close()]);
  }
}

/** The row of the first calls. */
const firstOf = (name: string) => `${name}, the first in a row`;

interface Pair {
  ours: number;
  peer?: number | undefined;
}

/** The median of each: a machine that is busy for a moment is busy for one. */
function best(pairs: readonly Pair[]): Pair {
  const peers = pairs.flatMap(({ peer }) => (peer === undefined ? [] : [peer]));
  return {
    ours: median(pairs.map(({ ours }) => ours)),
    peer: peers.length === 0 ? undefined : median(peers),
  };
}

/** What each of so many calls takes. */
async function times(count: number, ask: () => Promise<Answer>): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < count; n++) all.push((await ask()).ms);
  return all;
}

/** The answer with types. While the server starts, what came without them counts as time. */
async function typed(ours: Asked, request: object): Promise<Answer> {
  let ms = 0;
  for (;;) {
    const answer = await ours.ask(request);
    ms += answer.ms;
    if (!UNTYPED.test(answer.text ?? "")) return { ...answer, ms };
    if (!/still starting|took too long/.test(answer.text ?? "")) {
      throw new Error(`no types: ${answer.text}`);
    }
  }
}

const GOALS: Record<string, Record<number, number>> = {
  "getDiagnostics, first": { 1000: 3 },
  "getDiagnostics, after an edit": { 1000: 100 },
};
/** Bounds of our own values, in the row's unit. */
const BOUNDS: Record<string, Record<number, number>> = {
  "index of the project, built once": { 1000: 200 },
  "index of one edited file": { 100: 1, 1000: 1, 10000: 1 },
  "getRelevantFiles, facts cached": { 10000: 100 },
};

function rowsOf(count: number, rounds: readonly Round[]): Row[] {
  const goals = {
    ...GOALS,
    ...Object.fromEntries(
      cases(count).flatMap(({ name, goal }) => [name, firstOf(name)].map((row) => [row, goal])),
    ),
  };
  return [...(rounds[0]?.keys() ?? [])].flatMap((name) => {
    const pairs = rounds.map((round) => round.get(name)).filter((pair) => pair !== undefined);
    const unit = name.startsWith("peak") ? "MiB" : "ms";
    const metric = `${count} files: ${name}`;
    const ours = median(pairs.map(({ ours }) => ours));
    const rows: Row[] = [];
    const atMost = BOUNDS[name]?.[count];
    const bounded = atMost === undefined ? { met: null } : { atMost, met: ours <= atMost };
    const ratios = pairs.flatMap(({ ours, peer }) => (peer === undefined ? [] : [peer / ours]));
    if (ratios.length === 0 || atMost !== undefined) {
      rows.push({ metric, unit, ours: digits(ours), ...bounded });
    }
    if (ratios.length > 0) {
      const ratio = median(ratios);
      const goal = goals[name]?.[count];
      rows.push({
        metric,
        unit,
        ours: digits(ours),
        peer: PEER,
        peerValue: digits(median(pairs.flatMap(({ peer }) => peer ?? []))),
        ratio: digits(ratio),
        ...(goal === undefined ? {} : { goal }),
        met: goal === undefined ? null : ratio >= goal,
      });
    }
    return rows;
  });
}

/** The server that the package brings, if it is installed here. */
function languageServer(): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    const id = `@typescript/typescript-${process.platform}-${process.arch}/package.json`;
    const name = process.platform === "win32" ? "tsc.exe" : "tsc";
    const file = join(dirname(require.resolve(id)), "lib", name);
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}
