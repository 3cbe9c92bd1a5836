// The life of one run as a pure function: state + event -> new state, effects and the reply.
// Nothing here reads a clock, a database or a socket; the engine does that with what this returns.
// The states are the official engine's; waits (EXECUTING_WITH_WAITPOINTS) will join them here.

import type { TaskRunError } from "@trigger.dev/core/v3";
import {
  type Context,
  type Effect,
  MAX_ATTEMPTS,
  MAX_DEQUEUES,
  type Outcome,
  type RunEvent,
  type RunState,
  type RunStatus,
  type Timeouts,
  type Transition,
} from "./state.ts";

/** The state of a run that was just triggered. */
export function created(
  options: { delayUntil: number | null; expiresAt: number | null },
  context: Context,
): Transition {
  const delayed = options.delayUntil !== null && options.delayUntil > context.now;
  const base: RunState = {
    status: delayed ? "DELAYED" : "PENDING",
    execution: delayed ? "DELAYED" : "QUEUED",
    snapshotId: context.snapshotId,
    attempt: 0,
    attemptRunning: false,
    notBefore: delayed ? options.delayUntil : null,
    expiresAt: options.expiresAt,
    deadline: null,
    dequeues: 0,
    startedFrom: null,
    completed: null,
  };
  return {
    state: withDeadline(base, context),
    effects: [{ type: "snapshot", description: delayed ? "Run is delayed" : "Run was QUEUED" }],
    reply: { ok: true, changed: true },
  };
}

export function transition(state: RunState, event: RunEvent, context: Context): Transition {
  switch (event.type) {
    case "deadline":
      return onDeadline(state, event.stalled, context);
    case "dequeue":
      return onDequeue(state, context);
    case "start":
      return onStart(state, event.from, context);
    case "succeed":
    case "fail":
      return onComplete(state, event, context);
    case "heartbeat":
      // An old snapshot's heartbeat says nothing about the current one; the official engine ignores it.
      return event.from === state.snapshotId && isWatched(state)
        ? accept(withDeadline(state, context), [])
        : unchanged(state);
    case "lost":
      return onLost(state, event.reason, context);
    case "cancel":
      return onCancel(state, event, context);
  }
}

function onDeadline(state: RunState, stalled: Outcome, context: Context): Transition {
  if (state.deadline === null || state.deadline > context.now) return unchanged(state);
  switch (state.execution) {
    case "DELAYED":
      return accept(
        next(state, { status: "PENDING", execution: "QUEUED", notBefore: null }, context),
        [{ type: "snapshot", description: "Run was QUEUED" }],
      );
    case "QUEUED":
      return finish(state, "EXPIRED", "Run was expired because the TTL was reached", context);
    case "PENDING_EXECUTING":
      if (state.dequeues < MAX_DEQUEUES) return requeue(state, context.now, context, []);
      return fail(
        state,
        {
          kind: "fail",
          status: "SYSTEM_FAILURE",
          error: {
            type: "INTERNAL_ERROR",
            code: "TASK_RUN_DEQUEUED_MAX_RETRIES",
            message: "The run was dequeued too many times without an attempt being started",
          },
        },
        context,
      );
    case "EXECUTING":
      return told(settle(state, stalled, context));
    case "PENDING_CANCEL":
      return told(finish(state, "CANCELED", "Run was cancelled, not confirmed", context));
    case "FINISHED":
      return unchanged(state);
  }
}

/** A worker that is only slow learns that its run has ended without it, and stops. */
function told(result: Transition): Transition {
  return { ...result, effects: [...result.effects, { type: "notify" }] };
}

function onDequeue(state: RunState, context: Context): Transition {
  if (state.execution !== "QUEUED") return refuse(state, 400, "Run is not in the queue");
  if (state.notBefore !== null && state.notBefore > context.now) {
    return refuse(state, 400, "Run is not due yet");
  }
  return accept(
    next(
      state,
      {
        status: "DEQUEUED",
        execution: "PENDING_EXECUTING",
        notBefore: null,
        dequeues: state.dequeues + 1,
      },
      context,
    ),
    [{ type: "snapshot", description: "Run was dequeued for execution" }],
  );
}

function onStart(state: RunState, from: string, context: Context): Transition {
  // The reply to the first try was lost: the same attempt again, not another one.
  if (state.execution === "EXECUTING" && state.attemptRunning && state.startedFrom === from) {
    return unchanged(state);
  }
  if (state.snapshotId !== from) {
    return refuse(state, 409, "Snapshot changed inside startRunAttempt");
  }
  if (state.execution === "FINISHED" || state.execution === "PENDING_CANCEL") {
    return refuse(state, 400, "Task run is already finished");
  }
  const startable =
    state.execution === "PENDING_EXECUTING" ||
    (state.execution === "EXECUTING" && !state.attemptRunning);
  if (!startable) return refuse(state, 400, "Task run is not locked");
  if (state.attempt >= MAX_ATTEMPTS) {
    const error: TaskRunError = {
      type: "INTERNAL_ERROR",
      code: "TASK_RUN_CRASHED",
      message: "Max attempts reached.",
    };
    const failed = fail(state, { kind: "fail", status: "CRASHED", error }, context);
    return { ...failed, reply: { ok: false, status: 400, message: "Max attempts reached" } };
  }
  const attempt = state.attempt + 1;
  return accept(
    next(
      state,
      {
        status: "EXECUTING",
        execution: "EXECUTING",
        attempt,
        attemptRunning: true,
        dequeues: 0,
        startedFrom: from,
        completed: null,
      },
      context,
    ),
    [
      { type: "snapshot", description: "Attempt created, starting execution" },
      { type: "attemptStarted", number: attempt },
    ],
  );
}

function onComplete(
  state: RunState,
  event: Extract<RunEvent, { type: "succeed" | "fail" }>,
  context: Context,
): Transition {
  const repeat = state.completed;
  if (repeat !== null && repeat.from === event.from && repeat.to === state.snapshotId) {
    return {
      ...unchanged(state),
      reply: { ok: true, attemptStatus: repeat.answer, changed: false },
    };
  }
  if (state.snapshotId !== event.from) {
    const stale = refuse(state, 400, "Snapshot ID doesn't match the latest snapshot");
    // Completed while the cancel was on its way. The official engine would wait for a worker that
    // has already ended until the stall timeout; the attempt is over, so the run is over.
    if (state.execution === "PENDING_CANCEL" && state.attemptRunning) {
      const done = finish(state, "CANCELED", "Run was cancelled", context);
      return { ...done, reply: stale.reply };
    }
    return stale;
  }
  if (state.execution === "FINISHED") return refuse(state, 400, "Run is already finished");
  if (state.execution === "PENDING_CANCEL") {
    // Whatever the attempt came to, the person who cancelled was told that it is cancelled.
    return answered(finish(state, "CANCELED", "Run was cancelled", context), event.from);
  }
  if (state.execution !== "EXECUTING" || !state.attemptRunning) {
    return refuse(state, 400, "Run has no attempt to complete");
  }
  if (event.type === "succeed") {
    const done = finish(
      state,
      "COMPLETED_SUCCESSFULLY",
      "Task completed successfully",
      context,
      "COMPLETED",
    );
    return answered(done, event.from);
  }
  return answered(settle(state, event.outcome, context), event.from);
}

/** What the CLI's watchdog reports, found out by ourselves; a run that was not at work goes on. */
function onLost(state: RunState, reason: string, context: Context): Transition {
  switch (state.execution) {
    case "PENDING_EXECUTING":
      return requeue(state, context.now, context, []);
    case "EXECUTING":
      if (!state.attemptRunning) return requeue(state, context.now, context, []);
      return onCancel(state, { type: "cancel", reason, finalize: true }, context);
    case "PENDING_CANCEL":
      return onCancel(state, { type: "cancel", reason, finalize: true }, context);
    default:
      return unchanged(state);
  }
}

function onCancel(
  state: RunState,
  event: Extract<RunEvent, { type: "cancel" }>,
  context: Context,
): Transition {
  if (state.execution === "FINISHED") return unchanged(state);
  if (state.execution === "PENDING_CANCEL" && !event.finalize) {
    return { ...unchanged(state), effects: [{ type: "notify" }] };
  }
  const why: Effect = { type: "error", error: { type: "STRING_ERROR", raw: event.reason } };
  if (state.execution === "EXECUTING" && state.attemptRunning && !event.finalize) {
    return accept(next(state, { status: "CANCELED", execution: "PENDING_CANCEL" }, context), [
      { type: "snapshot", description: "Run was cancelled" },
      why,
      { type: "notify" },
    ]);
  }
  // No process is at work (queued, delayed, dequeued but not started, in a retry delay), or the
  // worker is gone: there is nobody to wait for.
  const done = finish(state, "CANCELED", "Run was cancelled, not finished", context);
  const first = state.execution === "PENDING_CANCEL" ? [] : [why];
  return { ...done, effects: [...first, ...done.effects] };
}

function settle(state: RunState, outcome: Outcome, context: Context): Transition {
  switch (outcome.kind) {
    case "cancel":
      return finish(state, "CANCELED", "Run was cancelled", context);
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
        { status: "RETRYING_AFTER_FAILURE", execution: "EXECUTING", attemptRunning: false },
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

function requeue(state: RunState, at: number, context: Context, effects: Effect[]): Transition {
  return {
    state: next(
      state,
      { status: "PENDING", execution: "QUEUED", attemptRunning: false, notBefore: at },
      context,
    ),
    effects: [...effects, { type: "snapshot", description: "Requeued the run after a failure" }],
    reply: { ok: true, attemptStatus: "RETRY_QUEUED", changed: true },
  };
}

function fail(
  state: RunState,
  outcome: Extract<Outcome, { kind: "fail" }>,
  context: Context,
): Transition {
  const done = finish(state, outcome.status, "Run failed", context, "FAILED", outcome.error);
  return { ...done, effects: [{ type: "error", error: outcome.error }, ...done.effects] };
}

function finish(
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
      { status, execution: "FINISHED", attemptRunning: false, notBefore: null },
      context,
    ),
    effects: [...effects, { type: "snapshot", description }, { type: "finished" }],
    reply: { ok: true, attemptStatus: "RUN_FINISHED", changed: true },
  };
}

function ended(
  state: RunState,
  status: "COMPLETED" | "FAILED" | "CANCELED",
  error?: TaskRunError,
): Effect[] {
  if (!state.attemptRunning) return [];
  const number = state.attempt;
  return [{ type: "attemptEnded", number, status, ...(error ? { error } : {}) }];
}

function answered(result: Transition, from: string): Transition {
  const { state, reply } = result;
  if (!reply.ok || reply.attemptStatus === undefined) return result;
  const completed = { from, answer: reply.attemptStatus, to: state.snapshotId };
  return { ...result, state: { ...state, completed } };
}

function next(state: RunState, change: Partial<RunState>, context: Context): RunState {
  return withDeadline({ ...state, ...change, snapshotId: context.snapshotId }, context);
}

function withDeadline(state: RunState, { now, timeouts }: Context): RunState {
  return { ...state, deadline: deadlineOf(state, now, timeouts) };
}

function deadlineOf(state: RunState, now: number, timeouts: Timeouts): number | null {
  switch (state.execution) {
    case "DELAYED":
      return state.notBefore;
    case "QUEUED":
      return state.attempt === 0 ? state.expiresAt : null;
    case "PENDING_EXECUTING":
      return now + timeouts.pendingExecuting;
    case "EXECUTING":
      return now + timeouts.executing;
    case "PENDING_CANCEL":
      return now + timeouts.pendingCancel;
    case "FINISHED":
      return null;
  }
}

/** States in which a worker is expected to give signs of life. */
export function isWatched(state: RunState): boolean {
  return (
    state.execution === "PENDING_EXECUTING" ||
    state.execution === "PENDING_CANCEL" ||
    (state.execution === "EXECUTING" && state.attemptRunning)
  );
}

function accept(state: RunState, effects: Effect[]): Transition {
  return { state, effects, reply: { ok: true, changed: true } };
}

function unchanged(state: RunState): Transition {
  return { state, effects: [], reply: { ok: true, changed: false } };
}

function refuse(state: RunState, status: 400 | 409, message: string): Transition {
  return { state, effects: [], reply: { ok: false, status, message } };
}
