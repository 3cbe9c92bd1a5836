// Rows of a result and how they come from rounds: in each round every client is measured once, in an
// order of its own; a ratio is the median of the rounds' ratios. Pure.

import { type ClientName, label, type Sample } from "./harness.ts";

export interface Row {
  metric: string;
  unit: string;
  ours: number;
  peer?: string;
  peerValue?: number;
  /** How many times better than the peer. */
  ratio?: number;
  goal?: number;
  atMost?: number;
  atLeast?: number;
  met: boolean | null;
}

export interface Document {
  name: string;
  runs: number;
  environment: { node: string; cpu: string; cores: number };
  results: Row[];
}

/** What one round measured, by the key of the plan. */
export type Round<K extends string> = Readonly<Record<K, Sample>>;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  const lower = sorted[middle - 1];
  if (upper === undefined) throw new Error("the median of nothing");
  return sorted.length % 2 === 1 || lower === undefined ? upper : (lower + upper) / 2;
}

interface Comparison<K extends string> {
  metric: string;
  unit: string;
  ours: NoInfer<K>;
  peer: NoInfer<K>;
  /** What is compared; less is better. */
  of: (sample: Sample, round: Round<NoInfer<K>>) => number;
  goal?: number;
}

/** A row that says how many times less we need than a peer. */
export function compare<K extends string>(rounds: readonly Round<K>[], spec: Comparison<K>): Row {
  const { metric, unit, ours, peer, of, goal } = spec;
  const ratio = median(rounds.map((round) => of(round[peer], round) / of(round[ours], round)));
  return {
    metric,
    unit,
    ours: digits(median(rounds.map((round) => of(round[ours], round)))),
    peer: label(peerOf(rounds, peer)),
    peerValue: digits(median(rounds.map((round) => of(round[peer], round)))),
    ratio: digits(ratio),
    ...(goal === undefined ? {} : { goal }),
    met: goal === undefined ? null : ratio >= goal,
  };
}

interface Bound<K extends string> {
  metric: string;
  unit: string;
  value: (round: Round<K>) => number;
  atMost?: number;
  /** The same for a peer, to read beside it. */
  peer?: { key: NoInfer<K>; value: (round: Round<K>) => number };
}

/** A row that says whether we stay within a bound. */
export function bound<K extends string>(rounds: readonly Round<K>[], spec: Bound<K>): Row {
  const { metric, unit, value, atMost, peer } = spec;
  const ours = median(rounds.map(value));
  return {
    metric,
    unit,
    ours: digits(ours),
    ...(peer === undefined
      ? {}
      : {
          peer: label(peerOf(rounds, peer.key)),
          peerValue: digits(median(rounds.map(peer.value))),
        }),
    ...(atMost === undefined ? {} : { atMost }),
    met: atMost === undefined ? null : ours <= atMost,
  };
}

function peerOf<K extends string>(rounds: readonly Round<K>[], key: K): ClientName {
  const round = rounds[0];
  if (round === undefined) throw new Error("no round was measured");
  return round[key].client;
}

/** Three significant digits: more would be noise. */
export function digits(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** The document as a table for people. */
export function table({ name, runs, environment, results }: Document): string {
  const { node, cpu, cores } = environment;
  const cells = results.map((row) => [
    row.metric,
    `${row.ours} ${row.unit}`,
    row.peerValue === undefined ? "" : `${row.peerValue} ${row.unit}`,
    row.ratio === undefined ? "" : `${row.ratio} x`,
    goalOf(row),
    row.met === null ? "" : row.met ? "met" : "MISSED",
    row.peer ?? "",
  ]);
  const lines = [["metric", "ours", "peer", "ratio", "goal", "", "peer is"], ...cells];
  const widths = lines[0]?.map((_, n) => Math.max(...lines.map((line) => line[n]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, n) => cell.padEnd(widths?.[n] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const head = `${name}: ${runs} interleaved round${runs === 1 ? "" : "s"}, node ${node}, ${cores} x ${cpu}`;
  return `${head}\n${text.join("\n")}\n`;
}

function goalOf({ unit, goal, atMost, atLeast }: Row): string {
  if (goal !== undefined) return `>= ${goal} x`;
  if (atMost !== undefined) return `<= ${atMost} ${unit}`;
  return atLeast === undefined ? "" : `>= ${atLeast} ${unit}`;
}
