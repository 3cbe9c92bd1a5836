// The words of a run's life: its state, what can happen to it, what follows from that.
// Types and constants only; what follows from what stands in machine.ts.

import type { TaskRunError, TaskRunStatus } from "@trigger.dev/core/v3";

export type RunStatus = Extract<
  TaskRunStatus,
  | "DELAYED"
  | "PENDING"
  | "DEQUEUED"
  | "EXECUTING"
  | "RETRYING_AFTER_FAILURE"
  | "CANCELED"
  | "COMPLETED_SUCCESSFULLY"
  | "COMPLETED_WITH_ERRORS"
  | "SYSTEM_FAILURE"
  | "CRASHED"
  | "EXPIRED"
  | "TIMED_OUT"
>;

/** What the worker and the engine agree on; a new snapshot is written whenever it changes. */
export type ExecutionStatus =
  | "DELAYED"
  | "QUEUED"
  | "PENDING_EXECUTING"
  | "EXECUTING"
  | "EXECUTING_WITH_WAITPOINTS"
  | "PENDING_CANCEL"
  | "FINISHED";

export type AttemptStatus =
  | "RUN_FINISHED"
  | "RUN_PENDING_CANCEL"
  | "RETRY_QUEUED"
  | "RETRY_IMMEDIATELY";

export interface RunState {
  status: RunStatus;
  execution: ExecutionStatus;
  snapshotId: string;
  /** Attempts begun so far. */
  attempt: number;
  /** A worker process is at work. False in the short retry delay that the CLI sleeps through. */
  attemptRunning: boolean;
  /** Not to be dequeued before (ms since 1970): a delay or a queued retry. */
  notBefore: number | null;
  /** A queued run that has never started expires here. */
  expiresAt: number | null;
  /** When the run must be looked at again if nothing happens: delay over, expired, stalled. */
  deadline: number | null;
  /** Dequeued without an attempt having started since. */
  dequeues: number;
  /** The snapshot that the current attempt was started from: a repeated start is recognised. */
  startedFrom: string | null;
  /**
   * Earlier snapshots of the current attempt that its worker may still hold: it is not told when it
   * begins to wait, and may die before it learns that it may go on.
   */
  held: string[];
  /** While it waits: the wait is too short to give the queue's slot to another run. */
  keepsSlot: boolean;
  /** The last completion and its answer: a repeat after a lost reply gets the same answer. */
  completed: { from: string; answer: AttemptStatus; to: string } | null;
}

/** What the policy says about a failed attempt. */
export type Outcome =
  | { kind: "cancel" }
  | { kind: "fail"; status: RunStatus; error: TaskRunError }
  | {
      kind: "retry";
      method: "queue" | "immediate";
      at: number;
      error: TaskRunError;
      machine?: string;
    };

export type RunEvent =
  | { type: "deadline"; stalled: Outcome }
  | { type: "dequeue" }
  | { type: "start"; from: string }
  | { type: "succeed"; from: string }
  | { type: "fail"; from: string; outcome: Outcome }
  | { type: "heartbeat"; from: string }
  /** It waits for another run, a batch or a time. */
  | { type: "block"; keepsSlot: boolean }
  /** Everything that it waited for is there, and a slot of its queue is free. */
  | { type: "resume" }
  /** The CLI that had the run in hand is gone. */
  | { type: "lost"; reason: string }
  /** `finalize`: the worker is known to be gone, nobody will confirm. */
  | { type: "cancel"; reason: string; finalize: boolean };

export type Effect =
  | { type: "snapshot"; description: string }
  | { type: "notify" }
  | { type: "attemptStarted"; number: number }
  | {
      type: "attemptEnded";
      number: number;
      status: "COMPLETED" | "FAILED" | "CANCELED";
      error?: TaskRunError;
    }
  | { type: "retryScheduled"; at: number; method: "queue" | "immediate" }
  | { type: "machine"; name: string }
  | { type: "error"; error: TaskRunError }
  /** Its children are to be cancelled with it. */
  | { type: "cancelChildren" }
  | { type: "finished" };

export type Reply =
  | { ok: true; attemptStatus?: AttemptStatus; changed: boolean }
  | { ok: false; status: 400 | 409; message: string };

export interface Transition {
  state: RunState;
  effects: Effect[];
  reply: Reply;
}

/** How long each state may last without a sign of life, in ms. */
export interface Timeouts {
  pendingExecuting: number;
  executing: number;
  waiting: number;
  pendingCancel: number;
}

export interface Context {
  now: number;
  /** The id to use if this transition writes a snapshot. */
  snapshotId: string;
  timeouts: Timeouts;
}

/** The official queue gives a run up after this many dequeues that start no attempt. */
export const MAX_DEQUEUES = 12;
/** The official engine never starts more attempts than this, whatever the task says. */
export const MAX_ATTEMPTS = 250;

/** More snapshots than two lie never between what the worker holds and the current one. */
export const MAX_HELD = 4;

const FINAL = new Set<RunStatus>([
  "CANCELED",
  "COMPLETED_SUCCESSFULLY",
  "COMPLETED_WITH_ERRORS",
  "SYSTEM_FAILURE",
  "CRASHED",
  "EXPIRED",
  "TIMED_OUT",
]);

export function isFinal(status: RunStatus): boolean {
  return FINAL.has(status);
}
