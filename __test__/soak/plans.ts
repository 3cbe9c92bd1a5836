// What each message of the soak is to do, and what it has to come to. The plan travels in the user's
// message, so the model knows it without being told apart.

import { Random } from "../crash/random.ts";

export const KINDS = [
  /** Text only. */
  "text",
  /** Reads and writes files, then text. */
  "tools",
  /** Cut by the model twice; the third time it is whole. */
  "cut",
  /** The model reports an error inside the stream, each time. */
  "broken",
  /** The provider withholds the answer. */
  "withheld",
  /** The model's key is refused. */
  "refused",
  /** Cancelled as a person does: the message first, then its run. */
  "cancelled",
  /** Its message is cancelled and nobody tells the run. */
  "cancelled-message",
  /** Its run is cancelled and nobody tells the message. */
  "cancelled-run",
] as const;

export type Kind = (typeof KINDS)[number];

export interface Plan {
  n: number;
  kind: Kind;
  /** Deltas of the answer. */
  deltas: number;
  /** When it is cancelled, if it is; a share of the answer's nominal time. */
  share: number;
}

/** Failures and cancels at random, but most messages just work. */
const WEIGHTS: readonly Kind[] = ["text", "text", "text", "text", "tools", "tools", "tools"];

export function planOf(seed: number, n: number, longest: number): Plan {
  const random = new Random(seed * 1_000_003 + n);
  const kind = random.pick([...WEIGHTS, ...KINDS]);
  const deltas = Math.max(4, Math.round(random.next() * longest));
  return { n, kind, deltas, share: 0.05 + random.next() * 0.8 };
}

const WORDS = [
  "Nordstern ",
  "größer ",
  "完成 ",
  "🎉 ",
  "line\n",
  "still ",
  "\u0000odd ",
  "e\u0301 ",
];

export function deltasOf({ n, deltas }: Plan): string[] {
  return Array.from({ length: deltas }, (_, i) => `${n}.${i} ${WORDS[(n + i) % WORDS.length]}`);
}

export const TOOL_TEXT = "I write two files. ";

/** The files that the tools of this plan write. */
export function filesOf({ n, kind }: Plan): Record<string, string> {
  return kind === "tools" ? { "src/a.ts": `a of ${n}`, "src/b.ts": `b of ${n} 🎉` } : {};
}

/** The whole answer. */
export function textOf(plan: Plan): string {
  return (plan.kind === "tools" ? TOOL_TEXT : "") + deltasOf(plan).join("");
}
