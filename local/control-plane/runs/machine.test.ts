// The state machine against a table: every state meets every event, nothing is left to chance.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { created, transition } from "./machine.ts";
import {
  type Context,
  type Effect,
  type ExecutionStatus,
  isFinal,
  MAX_ATTEMPTS,
  MAX_DEQUEUES,
  type Outcome,
  type RunEvent,
  type RunState,
  type Transition,
} from "./state.ts";

const NOW = 1_000_000;
const TIMEOUTS = { pendingExecuting: 11, executing: 22, pendingCancel: 33 };
const context: Context = { now: NOW, snapshotId: "new", timeouts: TIMEOUTS };
const error = { type: "BUILT_IN_ERROR", name: "Error", message: "no", stackTrace: "" } as const;

const base: RunState = {
  status: "PENDING",
  execution: "QUEUED",
  snapshotId: "old",
  attempt: 0,
  attemptRunning: false,
  notBefore: null,
  expiresAt: null,
  deadline: NOW - 1,
  dequeues: 0,
  startedFrom: null,
  completed: null,
};

const STATES = {
  delayed: { ...base, status: "DELAYED", execution: "DELAYED", notBefore: NOW },
  queued: base,
  dequeued: { ...base, status: "DEQUEUED", execution: "PENDING_EXECUTING", dequeues: 1 },
  executing: {
    ...base,
    status: "EXECUTING",
    execution: "EXECUTING",
    attempt: 1,
    attemptRunning: true,
    startedFrom: "older",
  },
  "in a retry delay": {
    ...base,
    status: "RETRYING_AFTER_FAILURE",
    execution: "EXECUTING",
    attempt: 1,
  },
  cancelling: {
    ...base,
    status: "CANCELED",
    execution: "PENDING_CANCEL",
    attempt: 1,
    attemptRunning: true,
  },
  succeeded: {
    ...base,
    status: "COMPLETED_SUCCESSFULLY",
    execution: "FINISHED",
    attempt: 1,
    deadline: null,
  },
  cancelled: { ...base, status: "CANCELED", execution: "FINISHED", attempt: 1, deadline: null },
} satisfies Record<string, RunState>;

const stalled: Outcome = { kind: "fail", status: "CANCELED", error };
const EVENTS = {
  deadline: { type: "deadline", stalled },
  dequeue: { type: "dequeue" },
  start: { type: "start", from: "old" },
  "stale start": { type: "start", from: "ancient" },
  succeed: { type: "succeed", from: "old" },
  "stale succeed": { type: "succeed", from: "ancient" },
  fail: { type: "fail", from: "old", outcome: { kind: "fail", status: "CRASHED", error } },
  "cancelled by the worker": { type: "fail", from: "old", outcome: { kind: "cancel" } },
  "retry soon": {
    type: "fail",
    from: "old",
    outcome: { kind: "retry", method: "immediate", at: NOW + 5, error },
  },
  "retry later": {
    type: "fail",
    from: "old",
    outcome: { kind: "retry", method: "queue", at: NOW + 50_000, error, machine: "large-1x" },
  },
  heartbeat: { type: "heartbeat", from: "old" },
  "stale heartbeat": { type: "heartbeat", from: "ancient" },
  lost: { type: "lost", reason: "gone" },
  cancel: { type: "cancel", reason: "stop", finalize: false },
  disconnect: { type: "cancel", reason: "gone", finalize: true },
} satisfies Record<string, RunEvent>;

type StateName = keyof typeof STATES;
type EventName = keyof typeof EVENTS;

/** `execution status | reply | effects`; "=" stands for an unchanged state without effects. */
const DONE_CANCELED = "FINISHED CANCELED";
const SNAP = "snapshot";
const TABLE: Record<StateName, Record<EventName, string>> = {
  delayed: {
    deadline: `QUEUED PENDING | ok | ${SNAP}`,
    dequeue: "= | 400",
    start: "= | 400",
    "stale start": "= | 409",
    succeed: "= | 400",
    "stale succeed": "= | 400",
    fail: "= | 400",
    "cancelled by the worker": "= | 400",
    "retry soon": "= | 400",
    "retry later": "= | 400",
    heartbeat: "= | ok",
    "stale heartbeat": "= | ok",
    lost: "= | ok",
    cancel: `${DONE_CANCELED} | RUN_FINISHED | error ${SNAP} finished`,
    disconnect: `${DONE_CANCELED} | RUN_FINISHED | error ${SNAP} finished`,
  },
  queued: {
    deadline: `FINISHED EXPIRED | RUN_FINISHED | ${SNAP} finished`,
    dequeue: `PENDING_EXECUTING DEQUEUED | ok | ${SNAP}`,
    start: "= | 400",
    "stale start": "= | 409",
    succeed: "= | 400",
    "stale succeed": "= | 400",
    fail: "= | 400",
    "cancelled by the worker": "= | 400",
    "retry soon": "= | 400",
    "retry later": "= | 400",
    heartbeat: "= | ok",
    "stale heartbeat": "= | ok",
    lost: "= | ok",
    cancel: `${DONE_CANCELED} | RUN_FINISHED | error ${SNAP} finished`,
    disconnect: `${DONE_CANCELED} | RUN_FINISHED | error ${SNAP} finished`,
  },
  dequeued: {
    deadline: `QUEUED PENDING | RETRY_QUEUED | ${SNAP}`,
    dequeue: "= | 400",
    start: `EXECUTING EXECUTING | ok | ${SNAP} attemptStarted`,
    "stale start": "= | 409",
    succeed: "= | 400",
    "stale succeed": "= | 400",
    fail: "= | 400",
    "cancelled by the worker": "= | 400",
    "retry soon": "= | 400",
    "retry later": "= | 400",
    heartbeat: "same but deadline | ok",
    "stale heartbeat": "= | ok",
    lost: `QUEUED PENDING | RETRY_QUEUED | ${SNAP}`,
    cancel: `${DONE_CANCELED} | RUN_FINISHED | error ${SNAP} finished`,
    disconnect: `${DONE_CANCELED} | RUN_FINISHED | error ${SNAP} finished`,
  },
  executing: {
    deadline: `${DONE_CANCELED} | RUN_FINISHED | error attemptEnded ${SNAP} finished notify`,
    dequeue: "= | 400",
    start: "= | 400",
    "stale start": "= | 409",
    succeed: `FINISHED COMPLETED_SUCCESSFULLY | RUN_FINISHED | attemptEnded ${SNAP} finished`,
    "stale succeed": "= | 400",
    fail: `FINISHED CRASHED | RUN_FINISHED | error attemptEnded ${SNAP} finished`,
    "cancelled by the worker": `${DONE_CANCELED} | RUN_FINISHED | attemptEnded ${SNAP} finished`,
    "retry soon": `EXECUTING RETRYING_AFTER_FAILURE | RETRY_IMMEDIATELY | attemptEnded error retryScheduled ${SNAP}`,
    "retry later": `QUEUED PENDING | RETRY_QUEUED | attemptEnded error machine retryScheduled ${SNAP}`,
    heartbeat: "same but deadline | ok",
    "stale heartbeat": "= | ok",
    lost: `${DONE_CANCELED} | RUN_FINISHED | error attemptEnded ${SNAP} finished`,
    cancel: `PENDING_CANCEL CANCELED | ok | ${SNAP} error notify`,
    disconnect: `${DONE_CANCELED} | RUN_FINISHED | error attemptEnded ${SNAP} finished`,
  },
  "in a retry delay": {
    deadline: `${DONE_CANCELED} | RUN_FINISHED | error ${SNAP} finished notify`,
    dequeue: "= | 400",
    start: `EXECUTING EXECUTING | ok | ${SNAP} attemptStarted`,
    "stale start": "= | 409",
    succeed: "= | 400",
    "stale succeed": "= | 400",
    fail: "= | 400",
    "cancelled by the worker": "= | 400",
    "retry soon": "= | 400",
    "retry later": "= | 400",
    heartbeat: "= | ok",
    "stale heartbeat": "= | ok",
    lost: `QUEUED PENDING | RETRY_QUEUED | ${SNAP}`,
    cancel: `${DONE_CANCELED} | RUN_FINISHED | error ${SNAP} finished`,
    disconnect: `${DONE_CANCELED} | RUN_FINISHED | error ${SNAP} finished`,
  },
  cancelling: {
    deadline: `${DONE_CANCELED} | RUN_FINISHED | attemptEnded ${SNAP} finished notify`,
    dequeue: "= | 400",
    start: "= | 400",
    "stale start": "= | 409",
    succeed: `${DONE_CANCELED} | RUN_FINISHED | attemptEnded ${SNAP} finished`,
    "stale succeed": `${DONE_CANCELED} | 400 | attemptEnded ${SNAP} finished`,
    fail: `${DONE_CANCELED} | RUN_FINISHED | attemptEnded ${SNAP} finished`,
    "cancelled by the worker": `${DONE_CANCELED} | RUN_FINISHED | attemptEnded ${SNAP} finished`,
    "retry soon": `${DONE_CANCELED} | RUN_FINISHED | attemptEnded ${SNAP} finished`,
    "retry later": `${DONE_CANCELED} | RUN_FINISHED | attemptEnded ${SNAP} finished`,
    heartbeat: "same but deadline | ok",
    "stale heartbeat": "= | ok",
    lost: `${DONE_CANCELED} | RUN_FINISHED | attemptEnded ${SNAP} finished`,
    cancel: "= | ok | notify",
    disconnect: `${DONE_CANCELED} | RUN_FINISHED | attemptEnded ${SNAP} finished`,
  },
  succeeded: finalRow(),
  cancelled: finalRow(),
};

/** A final run refuses its worker and answers everybody else, and never changes. */
function finalRow(): Record<EventName, string> {
  return {
    deadline: "= | ok",
    dequeue: "= | 400",
    start: "= | 400",
    "stale start": "= | 409",
    succeed: "= | 400",
    "stale succeed": "= | 400",
    fail: "= | 400",
    "cancelled by the worker": "= | 400",
    "retry soon": "= | 400",
    "retry later": "= | 400",
    heartbeat: "= | ok",
    "stale heartbeat": "= | ok",
    lost: "= | ok",
    cancel: "= | ok",
    disconnect: "= | ok",
  };
}

function describeResult(before: RunState, { state, effects, reply }: Transition): string {
  const withoutDeadline = (value: RunState): RunState => ({ ...value, deadline: null });
  const same = JSON.stringify(state) === JSON.stringify(before);
  const sameButDeadline =
    JSON.stringify(withoutDeadline(state)) === JSON.stringify(withoutDeadline(before));
  const name = same
    ? "="
    : sameButDeadline
      ? "same but deadline"
      : `${state.execution} ${state.status}`;
  const answer = reply.ok ? (reply.attemptStatus ?? "ok") : String(reply.status);
  const names = effects.map((effect: Effect) => effect.type).join(" ");
  return [name, answer, names].filter((part) => part !== "").join(" | ");
}

describe("every state meets every event", () => {
  for (const stateName of Object.keys(STATES) as StateName[]) {
    for (const eventName of Object.keys(EVENTS) as EventName[]) {
      it(`${stateName}: ${eventName}`, () => {
        const before: RunState = STATES[stateName];
        const result = transition(before, EVENTS[eventName], context);
        assert.equal(describeResult(before, result), TABLE[stateName][eventName]);
        checkInvariants(before, result);
      });
    }
  }
});

function checkInvariants(before: RunState, { state, effects }: Transition): void {
  const wrote = effects.some((effect) => effect.type === "snapshot");
  const moved = state.execution !== before.execution || state.status !== before.status;
  assert.equal(state.snapshotId, wrote ? "new" : "old", "a change has a snapshot of its own");
  if (moved) assert.ok(wrote, "no change without a snapshot");
  if (isFinal(before.status) && before.execution === "FINISHED") assert.equal(moved, false);
  if (before.status === "CANCELED") assert.equal(state.status, "CANCELED");
  const finished = effects.filter((effect) => effect.type === "finished").length;
  assert.equal(finished, state.execution === "FINISHED" && before.execution !== "FINISHED" ? 1 : 0);
  if (before.attemptRunning && !state.attemptRunning) {
    assert.equal(effects.filter((effect) => effect.type === "attemptEnded").length, 1);
  }
  const expected: Record<ExecutionStatus, (deadline: number | null) => boolean> = {
    DELAYED: (at) => at !== null,
    QUEUED: () => true,
    PENDING_EXECUTING: (at) => at !== null,
    EXECUTING: (at) => at !== null,
    PENDING_CANCEL: (at) => at !== null,
    FINISHED: (at) => at === null,
  };
  assert.ok(
    expected[state.execution](state.deadline),
    "a run that waits for a worker has a deadline",
  );
}

describe("what the table cannot say", () => {
  const step = (state: RunState, event: RunEvent, id = "new"): Transition =>
    transition(state, event, { ...context, snapshotId: id });

  it("a run with a delay starts delayed, one without is queued", () => {
    const delayed = created({ delayUntil: NOW + 1, expiresAt: null }, context).state;
    assert.equal(delayed.execution, "DELAYED");
    assert.equal(delayed.deadline, NOW + 1);
    assert.equal(created({ delayUntil: null, expiresAt: 7 }, context).state.deadline, 7);
    assert.equal(
      created({ delayUntil: NOW - 1, expiresAt: null }, context).state.execution,
      "QUEUED",
    );
  });

  it("a queued retry is not given out before its time, and never expires", () => {
    const retry: RunEvent = {
      type: "fail",
      from: "old",
      outcome: { kind: "retry", method: "queue", at: NOW + 9, error },
    };
    const waiting = step({ ...STATES.executing, expiresAt: NOW + 1 }, retry).state;
    assert.equal(waiting.deadline, null);
    assert.equal(step(waiting, { type: "dequeue" }).reply.ok, false);
    const due = transition(waiting, { type: "dequeue" }, { ...context, now: NOW + 9 });
    assert.equal(due.state.execution, "PENDING_EXECUTING");
  });

  it("a retry that the CLI sleeps through keeps the attempt number until it starts", () => {
    const waiting = step(STATES.executing, EVENTS["retry soon"], "b").state;
    assert.equal(waiting.attempt, 1);
    assert.equal(waiting.deadline, NOW + 5 + TIMEOUTS.executing);
    assert.equal(step(waiting, { type: "start", from: "b" }, "c").state.attempt, 2);
  });

  it("a start whose reply was lost is answered again without another attempt", () => {
    const first = step(STATES.dequeued, { type: "start", from: "old" }, "b");
    const again = step(first.state, { type: "start", from: "old" }, "c");
    assert.deepEqual(again.state, first.state);
    assert.deepEqual(again.effects, []);
    assert.equal(again.reply.ok, true);
  });

  for (const name of ["succeed", "fail", "retry soon", "retry later"] as const) {
    it(`a completion (${name}) whose reply was lost gets the same answer again`, () => {
      const first = step(STATES.executing, EVENTS[name], "b");
      const again = step(first.state, EVENTS[name], "c");
      assert.deepEqual(again.state, first.state);
      assert.deepEqual(again.effects, []);
      assert.ok(first.reply.ok && again.reply.ok);
      assert.equal(again.reply.attemptStatus, first.reply.attemptStatus);
      assert.equal(again.reply.changed, false);
    });
  }

  it("a completion that is repeated after the run went on is stale", () => {
    const waiting = step(STATES.executing, EVENTS["retry soon"], "b").state;
    const second = step(waiting, { type: "start", from: "b" }, "c").state;
    const late = step(second, EVENTS["retry soon"], "d");
    assert.deepEqual(late.reply, {
      ok: false,
      status: 400,
      message: "Snapshot ID doesn't match the latest snapshot",
    });
    assert.deepEqual(late.state, second);
  });

  it("a run that is dequeued again and again without starting fails in the end", () => {
    const often = { ...STATES.dequeued, dequeues: MAX_DEQUEUES };
    const { state, effects } = step(often, EVENTS.deadline);
    assert.equal(state.status, "SYSTEM_FAILURE");
    assert.deepEqual(
      effects.map((effect) => effect.type),
      ["error", "snapshot", "finished"],
    );
  });

  it("no run has more attempts than the engine's limit", () => {
    const tired = { ...STATES.dequeued, attempt: MAX_ATTEMPTS };
    const { state, reply } = step(tired, { type: "start", from: "old" });
    assert.equal(state.status, "CRASHED");
    assert.equal(reply.ok, false);
  });

  it("a heartbeat moves the deadline, and a deadline in the future does nothing", () => {
    const alive = step(STATES.executing, EVENTS.heartbeat).state;
    assert.equal(alive.deadline, NOW + TIMEOUTS.executing);
    assert.deepEqual(step(alive, EVENTS.deadline).state, alive);
  });

  it("after a cancel no order of late events makes the run anything but cancelled", () => {
    const names = Object.keys(EVENTS) as EventName[];
    for (const first of names) {
      for (const second of names) {
        let state: RunState = step(STATES.executing, EVENTS.cancel, "old").state;
        for (const name of [first, second]) state = step(state, EVENTS[name], "old").state;
        assert.equal(state.status, "CANCELED", `${first}, ${second}`);
      }
    }
  });
});
