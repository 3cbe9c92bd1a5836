// The journal of a run, kept in the message itself: one reserved entry of `toolCalls`, so that an
// app's schema needs no change. It says which attempt may write, until when the run counts as
// alive, and which model turns are finished. Pages and models never see it; a final message has
// none, but for the error that it failed with. Pure.

import type { Infer } from "convex/values";
import type { finishedTurn, storedToolCall } from "./fields";

type ToolCall = Infer<typeof storedToolCall>;

/** The reserved entry's id and name. */
export const JOURNAL_ID = "run";
export const JOURNAL_NAME = "polaris.run";

/** How long a run counts as alive after a write. It writes at least every fifth of this. */
export const LEASE_MS = 300_000;

/** Sequence numbers of one attempt; the next attempt's begin at the next multiple. */
export const ATTEMPT_SPAN = 1_000_000;

/** A finished model turn; `data` is the core's own. */
export type Turn = Infer<typeof finishedTurn>;

export interface Journal {
  attempt: number;
  runId: string | null;
  /** The worker that began; its first call may come again, or late. */
  worker?: string;
  /** The number of the last write that took effect. Numbers of older attempts are lower. */
  seq: number;
  /** Epoch milliseconds. */
  lease: number;
  /** Finished model turns, opaque to the store: what the core needs to go on behind them. */
  turns: Turn[];
}

export function journalOf(toolCalls: readonly ToolCall[] | undefined): Journal | undefined {
  const entry = toolCalls?.find(isJournal);
  return entry && "seq" in entry.args ? (entry.args as Journal) : undefined;
}

/** Why a failed message failed, where it is known. */
export function failureOf(
  toolCalls: readonly ToolCall[] | undefined,
): { code: string; message: string } | undefined {
  const entry = toolCalls?.find(isJournal);
  return entry && "error" in entry.args
    ? (entry.args.error as { code: string; message: string })
    : undefined;
}

export function isJournal(call: ToolCall): boolean {
  return call.id === JOURNAL_ID && call.name === JOURNAL_NAME;
}

/** The calls without the reserved entry. */
export function visibleCalls(toolCalls: readonly ToolCall[] | undefined): ToolCall[] {
  return (toolCalls ?? []).filter((call) => !isJournal(call));
}

/** The calls with this journal in the first place. */
export function withJournal(calls: readonly ToolCall[], journal: Journal): ToolCall[] {
  return [{ id: JOURNAL_ID, name: JOURNAL_NAME, args: journal }, ...visibleCalls(calls)];
}

/** What stays of a journal when the message is final: why it failed, if it did. */
export function closed(
  calls: readonly ToolCall[],
  error: { code: string; message: string } | undefined,
): ToolCall[] {
  const visible = visibleCalls(calls);
  if (error === undefined) return visible;
  return [{ id: JOURNAL_ID, name: JOURNAL_NAME, args: { error } }, ...visible];
}

/** How a write of number `seq` stands to what is stored. */
export function standing(
  journal: Journal | undefined,
  seq: number | undefined,
): "next" | "repeated" | "stale" {
  if (journal === undefined || seq === undefined || seq > journal.seq) return "next";
  return epochOf(seq) < epochOf(journal.seq) ? "stale" : "repeated";
}

export function epochOf(seq: number): number {
  return Math.floor(seq / ATTEMPT_SPAN);
}

/** The journal with which attempt `attempt` of `runId` begins. */
export function begun(
  journal: Journal | undefined,
  attempt: number,
  runId: string | undefined,
  worker: string | undefined,
  now: number,
): Journal {
  return {
    attempt,
    runId: runId ?? null,
    ...(worker === undefined ? {} : { worker }),
    seq: (epochOf(journal?.seq ?? 0) + 1) * ATTEMPT_SPAN,
    lease: now + LEASE_MS,
    turns: journal?.turns ?? [],
  };
}

/** The journal after a write: its number, a new lease, and the turn that it finishes. */
export function written(
  journal: Journal,
  seq: number | undefined,
  turn: Turn | undefined,
  now: number,
): Journal {
  const turns =
    turn === undefined
      ? journal.turns
      : [...journal.turns.filter((known) => known.step !== turn.step), turn];
  return { ...journal, seq: seq ?? journal.seq, lease: now + LEASE_MS, turns };
}
