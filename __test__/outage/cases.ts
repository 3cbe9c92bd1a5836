// What a store can do to a run: be slow, lose answers, be busy, be gone. Pure, but for the seed.

import type { Random } from "../crash/random.ts";

/** What the store does to one call: answers it, loses the answer behind the commit, refuses, is gone. */
export type Fate = "answered" | "lost" | "gone" | { status: 429 | 503 };

export interface Case {
  name: string;
  /** Each write takes so long. */
  writeMs: number;
  /** Runs side by side. */
  runs: number;
  /** Of each turn. */
  deltas: number;
  /** A turn with two files before the one without; a stream alone shows what waiting costs. */
  tools: boolean;
  /** `since`: milliseconds since half of the first turn was told, negative before. */
  fate: (random: Random, since: number) => Fate;
}

const LOST = 0.05;
/** Busy for a while, calm for a while. */
const BURST_MS = 400;

const calm = (): Fate => "answered";
const losing = (random: Random): Fate => (random.next() < LOST ? "lost" : "answered");
const burst = (random: Random, since: number): Fate => {
  if (Math.floor(since / BURST_MS) % 2 === 0 || random.next() < 0.3) return "answered";
  return { status: random.next() < 0.5 ? 429 : 503 };
};
const goneFor =
  (ms: number) =>
  (_: Random, since: number): Fate =>
    since >= 0 && since < ms ? "gone" : "answered";

/** `npm run test:outage`. */
export const ALL: readonly Case[] = [
  ...[0, 20, 110, 200].map((writeMs) => ({
    ...{ name: `${writeMs} ms per write`, writeMs, runs: 2, deltas: 500, tools: false, fate: calm },
  })),
  { name: "5 s per write", writeMs: 5_000, runs: 2, deltas: 500, tools: false, fate: calm },
  {
    name: "5 % of the answers are lost",
    writeMs: 20,
    runs: 12,
    deltas: 250,
    tools: true,
    fate: losing,
  },
  { name: "bursts of 429 and 503", writeMs: 20, runs: 12, deltas: 250, tools: true, fate: burst },
  { name: "gone for 30 s", writeMs: 20, runs: 4, deltas: 100, tools: true, fate: goneFor(30_000) },
];

/** What belongs to `npm test`: a few seconds. */
export const SHORT: readonly Case[] = [
  { name: "110 ms per write", writeMs: 110, runs: 2, deltas: 60, tools: true, fate: calm },
  {
    name: "5 % of the answers are lost",
    writeMs: 5,
    runs: 6,
    deltas: 60,
    tools: true,
    fate: losing,
  },
  { name: "bursts of 429 and 503", writeMs: 5, runs: 4, deltas: 60, tools: true, fate: burst },
  { name: "gone for 2 s", writeMs: 5, runs: 2, deltas: 60, tools: true, fate: goneFor(2_000) },
];
