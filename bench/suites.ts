// What is measured under each name, and the goals. A suite measures its rounds and makes rows of
// them; how a measurement is made is not known here.

import { cancel } from "./cancel.ts";
import type { ClientName, Harness, Plan, Sample } from "./harness.ts";
import { inspect } from "./inspect.ts";
import { page } from "./page.ts";
import { bound, compare, type Round, type Row } from "./report.ts";
import { sandbox } from "./sandbox.ts";
import { slowStore } from "./slow-store.ts";
import { startup } from "./startup.ts";
import { tools } from "./tools/tools.ts";

/** How much is measured. */
export interface Sizes {
  /** Text deltas of one stream. */
  deltas: number;
  /** Fragments of one tool call's arguments. */
  fragments: number;
  /** Paced streams at once, and deltas of each. */
  many: { streams: number; deltas: number };
  /** The same for the stress test. */
  stress: { streams: number; deltas: number };
  /** Ten-step loops. */
  loops: number;
  /** Requests after the first. */
  requests: number;
  /** Seconds of a paced answer into a slow store. */
  storeSeconds: number;
  /** Deltas of the longest answer into a slow store; 0: none. */
  longAnswer: number;
  /** Tokens of the long answer on a page. */
  pageTokens: number;
  /** Streams that are cancelled in a round by each client, and messages through the official CLI. */
  cancels: { streams: number; throughCli: number };
  /** Calls of each tool in a round. */
  toolCalls: number;
  /** Files of the projects that the tools look at. */
  toolFiles: readonly number[];
}

export const FULL: Sizes = {
  deltas: 20_000,
  fragments: 5_000,
  many: { streams: 200, deltas: 300 },
  stress: { streams: 1_000, deltas: 200 },
  loops: 10,
  requests: 50,
  storeSeconds: 20,
  longAnswer: 20_000,
  pageTokens: 20_000,
  cancels: { streams: 100, throughCli: 4 },
  toolCalls: 5,
  toolFiles: [100, 1_000, 10_000],
};

export const QUICK: Sizes = {
  deltas: 8_000,
  fragments: 2_000,
  many: { streams: 200, deltas: 100 },
  stress: { streams: 1_000, deltas: 100 },
  loops: 3,
  requests: 20,
  storeSeconds: 10,
  longAnswer: 0,
  pageTokens: 5_000,
  cancels: { streams: 40, throughCli: 3 },
  toolCalls: 3,
  toolFiles: [100, 1_000, 10_000],
};

/** Measures `plans` in `runs` rounds, in a new order in each. */
export interface Lab {
  readonly harness: Harness;
  readonly sizes: Sizes;
  readonly runs: number;
  /** Who is measured for a client: another one where it is not installed, in tests. */
  standIn(client: ClientName): ClientName;
  rounds<K extends string>(plans: Record<K, Plan>): Promise<Round<K>[]>;
}

export type Suite = (lab: Lab) => Promise<Row[]>;

const RATE = 100;
const MIB = 1024 * 1024;

const cpuPerMillion = ({ cpuMs, deltas }: Sample) => (cpuMs * 1000) / deltas;
const cpuPerDeltaUs = ({ cpuMs, deltas }: Sample) => (cpuMs * 1000) / deltas;
const wallMs = ({ wallMs }: Sample) => wallMs;
const peakMib = ({ peakRssBytes }: Sample) => peakRssBytes / MIB;
const lagMs = ({ lagMs }: Sample) => lagMs ?? 0;

/** Peers beside the replaced path; they set no goals. */
const OTHERS = ["ai-compatible", "openai", "raw-fetch"] as const;

function plansFor(plan: Omit<Plan, "client">) {
  const one = <C extends Plan["client"]>(client: C) => ({ ...plan, client });
  return {
    ours: one("ours"),
    "ai-anthropic": one("ai-anthropic"),
    "ai-compatible": one("ai-compatible"),
    openai: one("openai"),
    "raw-fetch": one("raw-fetch"),
    floor: one("floor"),
  };
}

const stream: Suite = async ({ sizes, rounds }) => {
  const scenario = `flat-${sizes.deltas}`;
  const plan = { scenario, warmup: `flat-${Math.ceil(sizes.deltas / 4)}`, warmups: 1 };
  const chunked = { ...plan, scenario: `chunked-${sizes.deltas}` };
  const alone = { scenario: "flat-200" };
  const measured = await rounds({
    ...plansFor(plan),
    each: { ...plan, client: "ours-each" },
    tls: { ...plan, client: "ours", tls: true },
    peerTls: { ...plan, client: "ai-anthropic", tls: true },
    chunked: { ...chunked, client: "ours" },
    peerChunked: { ...chunked, client: "ai-anthropic" },
    floorChunked: { ...chunked, client: "floor" },
    alone: { ...alone, client: "ours" },
    peerAlone: { ...alone, client: "ai-anthropic" },
    bare: { ...alone, client: "bare" },
  });
  const cpu = { metric: "cpu per million deltas", unit: "s", of: cpuPerMillion } as const;
  const every = `${cpu.metric}, every delta handed to JavaScript`;
  const byChunk = `${cpu.metric}, an HTTP chunk per event`;
  const [ours, peer] = ["ours", "ai-anthropic"] as const;
  return [
    compare(measured, { ...cpu, ours, peer, goal: 40 }),
    overFloor(measured, "cpu per delta over the bytes-only floor", 3.5),
    compare(measured, { ...cpu, metric: every, ours: "each", peer, goal: 20 }),
    ...OTHERS.map((other) => compare(measured, { ...cpu, ours, peer: other })),
    compare(measured, { ...cpu, metric: `${cpu.metric}, over TLS`, ours: "tls", peer: "peerTls" }),
    compare(measured, { ...cpu, metric: byChunk, ours: "chunked", peer: "peerChunked" }),
    bound(measured, {
      metric: `${byChunk}, bytes-only floor`,
      unit: "s",
      value: ({ floorChunked }) => cpuPerMillion(floorChunked),
    }),
    compare(measured, { metric: "wall", unit: "ms", ours, peer, of: wallMs }),
    bound(measured, {
      metric: "event-loop lag, max",
      unit: "ms",
      value: (round) => lagMs(round.ours),
      peer: { key: peer, value: (round) => lagMs(round[peer]) },
    }),
    compare(measured, { metric: "peak RSS", unit: "MiB", ours, peer, of: peakMib }),
    shareOfPeer(measured, "peak RSS, one stream, share of the peer's", 0.45),
    bound(measured, {
      metric: "one run on its own: process start to first model request",
      unit: "ms",
      value: (round) => round.alone.startToRequestMs,
      peer: { key: "peerAlone", value: (round) => round.peerAlone.startToRequestMs },
    }),
    bound(measured, {
      metric: "one run on its own: peak RSS over bare Node",
      unit: "MB",
      value: ({ alone, bare }) => (alone.peakRssBytes - bare.peakRssBytes) / 1e6,
      atMost: 60,
      peer: {
        key: "peerAlone",
        value: ({ peerAlone, bare }) => (peerAlone.peakRssBytes - bare.peakRssBytes) / 1e6,
      },
    }),
  ];
};

const toolArgs: Suite = async ({ sizes, rounds }) => {
  const { fragments } = sizes;
  const plan = { scenario: `args-${fragments}`, warmup: `args-${fragments}`, warmups: 2 };
  const measured = await rounds(plansFor(plan));
  const cpu = { metric: "cpu per tool-argument fragment", unit: "µs", of: cpuPerDeltaUs } as const;
  return [
    compare(measured, { ...cpu, ours: "ours", peer: "ai-anthropic", goal: 25 }),
    ...OTHERS.map((peer) => compare(measured, { ...cpu, ours: "ours", peer })),
    overFloor(measured, "cpu per fragment over the bytes-only floor"),
  ];
};

const concurrent: Suite = async ({ sizes, rounds }) => {
  const paced = ({ streams, deltas }: Sizes["many"]) => ({
    scenario: `paced-${RATE}-${deltas}`,
    streams,
    warmup: "flat-2000",
    warmups: 1,
  });
  const many = await rounds(plansFor(paced(sizes.many)));
  const stress = await rounds(plansFor(paced(sizes.stress)));
  const [ours, peer] = ["ours", "ai-anthropic"] as const;
  const nominalMs = ({ deltas }: Sizes["many"]) => ((deltas - 1) * 1000) / RATE;
  const streams = (size: Sizes["many"]) => `${size.streams} streams of ${RATE} deltas/s`;
  const over = (size: Sizes["many"]) => (sample: Sample) => sample.wallMs / nominalMs(size);
  const cpu = { metric: `${streams(sizes.many)}: cpu per delta`, unit: "µs", of: cpuPerDeltaUs };
  const at = streams(sizes.stress);
  return [
    compare(many, { ...cpu, ours, peer, goal: 6 }),
    overFloor(many, `${streams(sizes.many)}: cpu over the bytes-only floor`, 1.5),
    ...OTHERS.map((other) => compare(many, { ...cpu, ours, peer: other })),
    bound(many, {
      metric: `${streams(sizes.many)}: wall over nominal`,
      unit: "x",
      value: (round) => over(sizes.many)(round.ours),
      peer: { key: peer, value: (round) => over(sizes.many)(round[peer]) },
    }),
    bound(stress, {
      metric: `${at}: wall over nominal`,
      unit: "x",
      value: (round) => over(sizes.stress)(round.ours),
      atMost: 1.25,
      peer: { key: peer, value: (round) => over(sizes.stress)(round[peer]) },
    }),
    bound(stress, {
      metric: `${at}: event-loop lag, max`,
      unit: "ms",
      value: (round) => lagMs(round.ours),
      atMost: 100,
      peer: { key: peer, value: (round) => lagMs(round[peer]) },
    }),
    shareOfPeer(stress, `${at}: peak RSS, share of the peer's`, 0.35),
    compare(stress, { metric: `${at}: cpu per delta`, unit: "µs", ours, peer, of: cpuPerDeltaUs }),
    bound(stress, {
      metric: `${at}: wall over nominal, bytes-only floor`,
      unit: "x",
      value: (round) => over(sizes.stress)(round.floor),
    }),
  ];
};

const LOOP_STEPS = 10;

const loop: Suite = async ({ sizes, rounds }) => {
  const plan = { scenario: "loop", warmups: 2, repeat: sizes.loops };
  const measured = await rounds(plansFor(plan));
  const perStep = (ms: number) => ms / (LOOP_STEPS * sizes.loops);
  const wall = {
    metric: "tool loop of ten steps: wall per step",
    unit: "ms",
    of: (sample: Sample) => perStep(sample.wallMs),
  };
  const cpu = {
    metric: "tool loop of ten steps: cpu per step",
    unit: "ms",
    of: (sample: Sample) => perStep(sample.cpuMs),
  };
  return [
    compare(measured, { ...wall, ours: "ours", peer: "ai-anthropic", goal: 25 }),
    bound(measured, { ...wall, value: (round) => wall.of(round.ours), atMost: 0.6 }),
    ...OTHERS.map((peer) => compare(measured, { ...wall, ours: "ours", peer })),
    compare(measured, { ...cpu, ours: "ours", peer: "ai-anthropic" }),
    overFloor(measured, "tool loop of ten steps: cpu over the bytes-only floor"),
  ];
};

const ttft: Suite = async ({ sizes, rounds }) => {
  const plan = { scenario: "first", warmups: 10, repeat: sizes.requests };
  const measured = await rounds({
    ...plansFor(plan),
    tls: { ...plan, client: "ours", tls: true },
    peerTls: { ...plan, client: "ai-anthropic", tls: true },
  });
  type Of = (sample: Sample, round: Round<"floor">) => number;
  const timed = (name: string, of: Of) => ({
    metric: `time to first token${name}`,
    unit: "ms",
    of,
  });
  // What a client adds to a request and its answer as such, which the floor needs as well.
  const added = ({ floor }: Round<"floor">, ms: number) => Math.max(LEAST_MS, ms - floor.warmMs);
  const warm = timed(" added, warm", ({ warmMs }, round) => added(round, warmMs));
  const first = timed(" added, first request", ({ firstMs }, round) => added(round, firstMs));
  const whole = timed(", warm", ({ warmMs }) => warmMs);
  const wholeFirst = timed(", first request", ({ firstMs }) => firstMs);
  const tls = [whole, wholeFirst].map((of) => ({ ...of, metric: `${of.metric}, over TLS` }));
  return [
    compare(measured, { ...warm, ours: "ours", peer: "ai-anthropic", goal: 20 }),
    compare(measured, { ...first, ours: "ours", peer: "ai-anthropic", goal: 30 }),
    ...[whole, wholeFirst].flatMap((metric) =>
      (["ai-anthropic", ...OTHERS] as const).map((peer) =>
        compare(measured, { ...metric, ours: "ours", peer }),
      ),
    ),
    ...tls.map((of) => compare(measured, { ...of, ours: "tls", peer: "peerTls" })),
    ...[whole, wholeFirst].map(({ metric, unit, of }) =>
      bound(measured, {
        metric: `${metric}, bytes-only floor`,
        unit,
        value: (round) => of(round.floor, round),
      }),
    ),
  ];
};

/** Less than this is noise between two processes, and must not make a ratio. */
const LEAST_MS = 0.05;

function overFloor(
  rounds: readonly Round<"ours" | "floor">[],
  metric: string,
  atMost?: number,
): Row {
  return bound(rounds, {
    metric,
    unit: "x",
    value: ({ ours, floor }) => cpuPerMillion(ours) / cpuPerMillion(floor),
    ...(atMost === undefined ? {} : { atMost }),
  });
}

function shareOfPeer(
  rounds: readonly Round<"ours" | "ai-anthropic">[],
  metric: string,
  atMost: number,
): Row {
  return bound(rounds, {
    metric,
    unit: "x",
    value: (round) => round.ours.peakRssBytes / round["ai-anthropic"].peakRssBytes,
    atMost,
  });
}

export const SUITES: Readonly<Record<string, Suite>> = {
  stream,
  "tool-args": toolArgs,
  concurrent,
  loop,
  ttft,
  tools,
  inspect,
  "slow-store": slowStore,
  startup,
  sandbox,
  page,
  cancel,
};
