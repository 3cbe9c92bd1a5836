// What must hold of a run that was killed or frozen, told from the logs of the servers and the gate.
// Every check gives lines that say what is wrong; none means that it holds.

import { isDeepStrictEqual } from "node:util";
import { FAILURE_TEXT } from "../../app/convex/model/messages.ts";
import type { GateCall } from "./gate.ts";
import type { Lab, Subject } from "./lab.ts";

export interface Findings {
  /** The end is not that of the calm run. */
  different: string[];
  /** Model turns that were asked for again though they were finished. */
  repeatedTurns: string[];
  /** Effects of tools that happened more than once. */
  twice: string[];
  /** Writes of an attempt behind the beginning of its successor. */
  stale: string[];
}

export const KINDS = ["different", "repeatedTurns", "twice", "stale"] as const;

export function nothing(): Findings {
  return { different: [], repeatedTurns: [], twice: [], stale: [] };
}

export function wrong(findings: Findings): string[] {
  return KINDS.flatMap((kind) => findings[kind]);
}

export type Outcome = Record<string, unknown>;

/** Where two outcomes differ, as paths with both values. */
export function differences(actual: unknown, expected: unknown, path = ""): string[] {
  if (isDeepStrictEqual(actual, expected)) return [];
  const both = [actual, expected];
  if (!both.every((value) => typeof value === "object" && value !== null)) {
    return [`${path}: ${short(actual)} instead of ${short(expected)}`];
  }
  const [a, e] = both as Record<string, unknown>[];
  const keys = new Set([...Object.keys(a ?? {}), ...Object.keys(e ?? {})]);
  return [...keys].flatMap((key) => differences(a?.[key], e?.[key], `${path}/${key}`));
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 160 ? `${text.slice(0, 80)} … ${text.slice(-60)}` : text;
}

/** Of a message whose run was killed for good: failed, with the beginning of the text. */
export function deadDifferences(actual: Outcome, calm: Outcome): string[] {
  const { status, content } = actual.message as { status?: string; content?: string };
  const whole = (calm.message as { content: string }).content;
  const found: string[] = [];
  if (status !== "failed") found.push(`status ${status} instead of failed`);
  if (content !== FAILURE_TEXT && !whole.startsWith(content ?? "")) {
    found.push(`not the beginning of the answer: ${short(content)}`);
  }
  return found;
}

/** A call that the host carried out and that changed something. */
function took(call: GateCall): boolean {
  const value = call.value as { applied?: boolean; state?: string } | null | undefined;
  if (call.answeredAt === undefined || call.failed !== undefined) return false;
  // `beginMessage` answers with a state: `final` and `superseded` change nothing.
  return value?.applied !== false && (value?.state ?? "run") === "run";
}

/** The call gave the message its final status. */
export function isEnd(call: GateCall): boolean {
  const { status } = call.args;
  return took(call) && typeof status === "string" && status !== "processing";
}

/** Turns whose boundary was committed before the model was asked for them again. */
export async function repeatedTurns(lab: Lab, subject: Subject, kills: number): Promise<string[]> {
  const asked = await lab.turnsAsked(subject);
  const found: string[] = [];
  for (const call of subject.calls) {
    const { turn } = call.args as { turn?: { step: number } };
    const { answeredAt = Number.POSITIVE_INFINITY } = call;
    const step = isEnd(call) ? undefined : turn?.step;
    if ((step === undefined && !isEnd(call)) || !took(call)) continue;
    const again = asked.filter(({ turn, at }) => at > answeredAt && turn <= (step ?? turn));
    found.push(
      ...again.map(
        ({ turn }) => `turn ${turn} was asked for again behind ${call.key} of turn ${step}`,
      ),
    );
  }
  // A turn whose boundary was not acknowledged, and the one asked for beside that write.
  const most = subject.scenario.turns.length + 2 * kills;
  if (asked.length > most) found.push(`${asked.length} turns were asked for, ${most} at most`);
  return found;
}

export function twice(lab: Lab, subject: Subject): string[] {
  return [...lab.effects(subject)]
    .filter(([, count]) => count > 1)
    .map(([id, count]) => `the file ${id} was changed ${count} times`);
}

const READS = /^system:(get|read|list)/;

/** Writes of an attempt that took effect behind the beginning of a later one. */
export function stale({ calls }: Subject): string[] {
  return calls.flatMap((begin) => {
    if (begin.path !== "system:beginMessage" || begin.answeredAt === undefined) return [];
    const since = begin.answeredAt;
    return calls
      .filter((call) => call.attempt < begin.attempt && took(call) && !READS.test(call.path))
      .filter(({ answeredAt = 0 }) => answeredAt > since)
      .map(({ key, attempt }) => `${key} of attempt ${attempt} landed in attempt ${begin.attempt}`);
  });
}
