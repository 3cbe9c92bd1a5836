// The benchmarks measure what they say, at a size where times mean nothing: text and files are checked
// in each measurement, and here the documents. Peers that are not installed have stand-ins.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Arguments, readArguments } from "./arguments.ts";
import { bench } from "./bench.ts";
import type { ClientName } from "./harness.ts";
import { compare, type Document, median, type Round, table } from "./report.ts";
import { FULL, QUICK, type Sizes, SUITES } from "./suites.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const TINY: Sizes = {
  deltas: 200,
  fragments: 100,
  many: { streams: 3, deltas: 10 },
  stress: { streams: 5, deltas: 10 },
  loops: 1,
  requests: 2,
  storeSeconds: 0.5,
  longAnswer: 0,
  // Two seconds: the page is written ten times a second at most.
  pageTokens: 2_000,
  cancels: { streams: 3, throughCli: 1 },
  toolCalls: 1,
  toolFiles: [40],
};

const STAND_INS: Partial<Record<ClientName, ClientName>> = {
  "ai-anthropic": "raw-fetch",
  "ai-compatible": "raw-fetch",
  openai: "raw-fetch",
  "replaced-store": "ours-store",
};

test("every benchmark measures exact text and gives its document", async (t) => {
  const cargo = spawnSync(
    "cargo",
    ["build", "--quiet", "--package", "polaris-bench", "--package", "polaris-sandbox"],
    { cwd: ROOT, encoding: "utf8" },
  );
  if (cargo.error !== undefined) {
    assert.ok(process.env.CI === undefined, "CI needs cargo");
    return t.skip("cargo is not installed");
  }
  assert.equal(cargo.status, 0, cargo.stderr);
  const names = Object.keys(SUITES);
  const documents = await bench({
    names,
    runs: 1,
    sizes: TINY,
    binaries: join(ROOT, "target", "debug"),
    standIns: STAND_INS,
  });
  assert.deepEqual(
    documents.map(({ name }) => name),
    names,
  );
  for (const document of documents) assertShape(document);
  const stream = documents[0];
  assert.equal(stream?.results[0]?.metric, "cpu per million deltas");
  assert.equal(stream?.results[0]?.goal, 40);
});

function assertShape(document: Document): void {
  assert.deepEqual(Object.keys(document), ["name", "runs", "environment", "results"]);
  assert.deepEqual(Object.keys(document.environment), ["node", "cpu", "cores"]);
  assert.ok(document.results.length > 0, document.name);
  for (const row of document.results) {
    const at = `${document.name}: ${row.metric}`;
    assert.ok(Number.isFinite(row.ours), at);
    const goals = [row.goal, row.atMost, row.atLeast].filter((goal) => goal !== undefined);
    assert.ok(goals.length <= 1, at);
    assert.equal(row.met === null, goals.length === 0, at);
    if (row.goal !== undefined) assert.equal(typeof row.ratio, "number", at);
    if (row.peerValue !== undefined) assert.equal(typeof row.peer, "string", at);
  }
  assert.match(table(document), new RegExp(`^${document.name}: 1 interleaved round, node `));
}

test("a ratio is the median of the rounds' ratios, not the ratio of medians", () => {
  const sample = (client: ClientName, cpuMs: number) => ({ client, cpuMs }) as Round<"a">["a"];
  const round = (ours: number, peer: number) => ({
    ours: sample("ours", ours),
    peer: sample("openai", peer),
  });
  const rounds = [round(1, 10), round(2, 80), round(4, 90)];
  const spec = { metric: "m", unit: "ms", ours: "ours", peer: "peer" } as const;
  const row = compare(rounds, { ...spec, of: ({ cpuMs }) => cpuMs, goal: 22.6 });
  assert.deepEqual(
    { ours: row.ours, peerValue: row.peerValue, ratio: row.ratio, met: row.met },
    { ours: 2, peerValue: 80, ratio: 22.5, met: false },
  );
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("the command line is read before anything is built", () => {
  const { names, runs, sizes, json } = readArguments([]) as Arguments;
  assert.deepEqual([names, runs, sizes, json], [Object.keys(SUITES), 5, FULL, false]);
  const given = readArguments(["loop", "ttft", "--quick", "--runs", "3", "--json"]);
  assert.deepEqual(given, { names: ["loop", "ttft"], runs: 3, sizes: QUICK, json: true });
  assert.equal(readArguments(["--help"]), "help");
  for (const [args, problem] of [
    [["stream", "nope"], /"nope"; there are: stream tool-args/],
    [["--runs", "0"], /--runs takes a number from 1/],
    [["--runs", "1.5"], /--runs takes a number from 1/],
    [["--slow"], /--slow/],
  ] as const) {
    const read = readArguments([...args]);
    assert.match(typeof read === "object" && "problem" in read ? read.problem : "", problem);
  }
});
