// The life of one run as a pure function: state + event -> new state, effects and the reply.
// Nothing here reads a clock, a database or a socket; the engine does that with what this returns.
// The states are the official engine's, as they occur in development: nothing is ever suspended.

import type { TaskRunError } from "@trigger.dev/core/v3";
import {
  type Context,
  type Effect,
  MAX_ATTEMPTS,
  MAX_DEQUEUES,
  MAX_HELD,
  type Outcome,
  type RunEvent,
  type RunState,
  type Transition,
} from "./state.ts";
import {
  accept,
  answered,
  cancelled,
  fail,
  finish,
  isAtWork,
  isHeld,
  isWatched,
  next,
  refuse,
  requeue,
  settle,
  unchanged,
  withDeadline,
} from "./steps.ts";

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
    held: [],
    keepsSlot: false,
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
      return isHeld(state, event.from) && isWatched(state)
        ? accept(withDeadline(state, context), [])
        : unchanged(state);
    case "block":
      return onBlock(state, event.keepsSlot, context);
    case "resume":
      return onResume(state, context);
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
    case "EXECUTING_WITH_WAITPOINTS":
      return told(settle(state, stalled, context));
    case "PENDING_CANCEL":
      return told(cancelled(state, "Run was cancelled, not confirmed", context));
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
        held: [],
        keepsSlot: false,
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
  if (!isHeld(state, event.from)) {
    const stale = refuse(state, 400, "Snapshot ID doesn't match the latest snapshot");
    // Completed while the cancel was on its way. The official engine would wait for a worker that
    // has already ended until the stall timeout; the attempt is over, so the run is over.
    if (state.execution === "PENDING_CANCEL" && state.attemptRunning) {
      const done = cancelled(state, "Run was cancelled", context);
      return { ...done, reply: stale.reply };
    }
    return stale;
  }
  if (state.execution === "FINISHED") return refuse(state, 400, "Run is already finished");
  if (state.execution === "PENDING_CANCEL") {
    // Whatever the attempt came to, the person who cancelled was told that it is cancelled.
    return answered(cancelled(state, "Run was cancelled", context), event.from);
  }
  if (!isAtWork(state)) {
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

/**
 * The worker is not told: the CLI would flush under a lock and drop the notification that follows. It
 * goes on holding the snapshot that it has.
 */
function onBlock(state: RunState, keepsSlot: boolean, context: Context): Transition {
  if (!isAtWork(state)) return refuse(state, 400, "Run is not executing");
  if (state.execution === "EXECUTING_WITH_WAITPOINTS") {
    if (keepsSlot || !state.keepsSlot) return unchanged(state);
    return accept({ ...state, keepsSlot: false }, []);
  }
  const blocked = next(
    state,
    { execution: "EXECUTING_WITH_WAITPOINTS", held: heldWith(state), keepsSlot },
    context,
  );
  return accept(blocked, [{ type: "snapshot", description: "Run was blocked by a waitpoint." }]);
}

function onResume(state: RunState, context: Context): Transition {
  if (state.execution !== "EXECUTING_WITH_WAITPOINTS") return unchanged(state);
  const resumed = next(
    state,
    { execution: "EXECUTING", held: heldWith(state), keepsSlot: false },
    context,
  );
  // A worker that was frozen while it waited has sent no heartbeat since: twice the usual time.
  const deadline = context.now + 2 * context.timeouts.executing;
  return accept({ ...resumed, deadline }, [
    { type: "snapshot", description: "Run was continued, whilst still executing." },
    { type: "notify" },
  ]);
}

function heldWith(state: RunState): string[] {
  return [...state.held, state.snapshotId].slice(-MAX_HELD);
}

/** What the CLI's watchdog reports, found out by ourselves; a run that was not at work goes on. */
function onLost(state: RunState, reason: string, context: Context): Transition {
  switch (state.execution) {
    case "PENDING_EXECUTING":
      return requeue(state, context.now, context, []);
    case "EXECUTING":
    case "EXECUTING_WITH_WAITPOINTS":
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
  if (isAtWork(state) && !event.finalize) {
    const change = { status: "CANCELED", execution: "PENDING_CANCEL", keepsSlot: false } as const;
    return accept(next(state, change, context), [
      { type: "snapshot", description: "Run was cancelled" },
      why,
      { type: "notify" },
      { type: "cancelChildren" },
    ]);
  }
  // No process is at work (queued, delayed, dequeued but not started, in a retry delay), or the
  // worker is gone: there is nobody to wait for.
  const done = cancelled(state, "Run was cancelled, not finished", context);
  const first = state.execution === "PENDING_CANCEL" ? [] : [why];
  return { ...done, effects: [...first, ...done.effects] };
}
