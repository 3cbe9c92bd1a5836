// The building blocks of the state machine: how a run ends, is requeued, gets its next snapshot and
// deadline. As pure as machine.ts, which decides when each of them applies.

import type { TaskRunError } from "@trigger.dev/core/v3";
import type {
  Context,
  Effect,
  Outcome,
  RunState,
  RunStatus,
  Timeouts,
  Transition,
} from "./state.ts";

export function settle(state: RunState, outcome: Outcome, context: Context): Transition {
  switch (outcome.kind) {
    case "cancel":
      return cancelled(state, "Run was cancelled", context);
    case "fail":
      return fail(state, outcome, context);
    case "retry": {
      const effects: Effect[] = [
        ...ended(state, "FAILED", outcome.error),
        { type: "error", error: outcome.error },
      ];
      if (outcome.machine !== undefined) effects.push({ type: "machine", name: outcome.machine });
      effects.push({ type: "retryScheduled", at: outcome.at, method: outcome.method });
      if (outcome.method === "queue") return requeue(state, outcome.at, context, effects);
      // The CLI sleeps, then starts again from the snapshot written here; the attempt number
      // stays, or the CLI's controller gives up.
      const waiting = next(
        state,
        {
          status: "RETRYING_AFTER_FAILURE",
          execution: "EXECUTING",
          attemptRunning: false,
          held: [],
          keepsSlot: false,
        },
        context,
      );
      return {
        state: { ...waiting, deadline: outcome.at + context.timeouts.executing },
        effects: [
          ...effects,
          {
            type: "snapshot",
            description: "Attempt failed with a short delay, starting a new attempt",
          },
        ],
        reply: { ok: true, attemptStatus: "RETRY_IMMEDIATELY", changed: true },
      };
    }
  }
}

export function requeue(
  state: RunState,
  at: number,
  context: Context,
  effects: Effect[],
): Transition {
  return {
    state: next(
      state,
      {
        status: "PENDING",
        execution: "QUEUED",
        attemptRunning: false,
        notBefore: at,
        held: [],
        keepsSlot: false,
      },
      context,
    ),
    effects: [...effects, { type: "snapshot", description: "Requeued the run after a failure" }],
    reply: { ok: true, attemptStatus: "RETRY_QUEUED", changed: true },
  };
}

export function fail(
  state: RunState,
  outcome: Extract<Outcome, { kind: "fail" }>,
  context: Context,
): Transition {
  const done = finish(state, outcome.status, "Run failed", context, "FAILED", outcome.error);
  return { ...done, effects: [{ type: "error", error: outcome.error }, ...done.effects] };
}

/** The end of a run that was cancelled: whatever it has started ends with it. */
export function cancelled(state: RunState, description: string, context: Context): Transition {
  const done = finish(state, "CANCELED", description, context);
  return { ...done, effects: [...done.effects, { type: "cancelChildren" }] };
}

export function finish(
  state: RunState,
  status: RunStatus,
  description: string,
  context: Context,
  attempt: "COMPLETED" | "FAILED" | "CANCELED" = "CANCELED",
  error?: TaskRunError,
): Transition {
  const effects = ended(state, attempt, error);
  return {
    state: next(
      state,
      {
        status,
        execution: "FINISHED",
        attemptRunning: false,
        notBefore: null,
        held: [],
        keepsSlot: false,
      },
      context,
    ),
    effects: [...effects, { type: "snapshot", description }, { type: "finished" }],
    reply: { ok: true, attemptStatus: "RUN_FINISHED", changed: true },
  };
}

export function ended(
  state: RunState,
  status: "COMPLETED" | "FAILED" | "CANCELED",
  error?: TaskRunError,
): Effect[] {
  if (!state.attemptRunning) return [];
  const number = state.attempt;
  return [{ type: "attemptEnded", number, status, ...(error ? { error } : {}) }];
}

export function answered(result: Transition, from: string): Transition {
  const { state, reply } = result;
  if (!reply.ok || reply.attemptStatus === undefined) return result;
  const completed = { from, answer: reply.attemptStatus, to: state.snapshotId };
  return { ...result, state: { ...state, completed } };
}

export function next(state: RunState, change: Partial<RunState>, context: Context): RunState {
  return withDeadline({ ...state, ...change, snapshotId: context.snapshotId }, context);
}

export function withDeadline(state: RunState, { now, timeouts }: Context): RunState {
  return { ...state, deadline: deadlineOf(state, now, timeouts) };
}

export function deadlineOf(state: RunState, now: number, timeouts: Timeouts): number | null {
  switch (state.execution) {
    case "DELAYED":
      return state.notBefore;
    case "QUEUED":
      return state.attempt === 0 ? state.expiresAt : null;
    case "PENDING_EXECUTING":
      return now + timeouts.pendingExecuting;
    case "EXECUTING":
      return now + timeouts.executing;
    case "EXECUTING_WITH_WAITPOINTS":
      return now + timeouts.waiting;
    case "PENDING_CANCEL":
      return now + timeouts.pendingCancel;
    case "FINISHED":
      return null;
  }
}

/** The worker may hold this snapshot of the current attempt. */
export function isHeld(state: RunState, snapshotId: string): boolean {
  return state.snapshotId === snapshotId || (isAtWork(state) && state.held.includes(snapshotId));
}

/** A worker process is at work on it, or waits inside it. */
export function isAtWork(state: RunState): boolean {
  if (state.execution === "EXECUTING_WITH_WAITPOINTS") return true;
  return state.execution === "EXECUTING" && state.attemptRunning;
}

/** States in which a worker is expected to give signs of life. */
export function isWatched(state: RunState): boolean {
  return (
    state.execution === "PENDING_EXECUTING" ||
    state.execution === "PENDING_CANCEL" ||
    state.execution === "EXECUTING_WITH_WAITPOINTS" ||
    (state.execution === "EXECUTING" && state.attemptRunning)
  );
}

export function accept(state: RunState, effects: Effect[]): Transition {
  return { state, effects, reply: { ok: true, changed: true } };
}

export function unchanged(state: RunState): Transition {
  return { state, effects: [], reply: { ok: true, changed: false } };
}

export function refuse(state: RunState, status: 400 | 409, message: string): Transition {
  return { state, effects: [], reply: { ok: false, status, message } };
}
