// The state machine against a table: every state meets every event, nothing is left to chance.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  context,
  EVENTS,
  type EventName,
  error,
  NOW,
  STATES,
  type StateName,
  TABLE,
  TIMEOUTS,
} from "./machine.table.ts";
import { created, transition } from "./machine.ts";
import {
  type Effect,
  type ExecutionStatus,
  isFinal,
  MAX_ATTEMPTS,
  MAX_DEQUEUES,
  MAX_HELD,
  type RunEvent,
  type RunState,
  type Transition,
} from "./state.ts";

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
  const waits = state.execution === "EXECUTING_WITH_WAITPOINTS";
  assert.ok(!waits || state.attemptRunning, "a worker process waits");
  assert.ok(!state.keepsSlot || waits, "only a wait keeps or gives up a slot");
  const news = waits && !before.execution.startsWith("EXECUTING_WITH");
  assert.ok(
    !news || !effects.some((effect) => effect.type === "notify"),
    "nobody is told of a wait",
  );
  if (!state.attemptRunning && state !== before) assert.deepEqual(state.held, []);
  const expected: Record<ExecutionStatus, (deadline: number | null) => boolean> = {
    DELAYED: (at) => at !== null,
    QUEUED: () => true,
    PENDING_EXECUTING: (at) => at !== null,
    EXECUTING: (at) => at !== null,
    EXECUTING_WITH_WAITPOINTS: (at) => at !== null,
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

  it("a run that waits again and again is completed from the snapshot that its worker last read", () => {
    let state: RunState = STATES.executing;
    for (let i = 0; i < 50; i++) {
      const worker = state.snapshotId;
      state = step(state, { type: "block", keepsSlot: false }, `wait ${i}`).state;
      assert.equal(step(state, { type: "succeed", from: worker }).reply.ok, true);
      state = step(state, { type: "resume" }, `go on ${i}`).state;
      assert.equal(step(state, { type: "succeed", from: worker }).reply.ok, true);
      assert.equal(state.attempt, 1, "or the CLI's controller gives up");
      assert.ok(state.held.length <= MAX_HELD);
    }
    assert.equal(step(state, { type: "succeed", from: "wait 3" }).reply.ok, false);
  });

  it("what an earlier attempt held says nothing about the next one", () => {
    const waiting = step(STATES.executing, { type: "block", keepsSlot: false }, "b").state;
    const failed = step(waiting, EVENTS["retry soon"], "c").state;
    const second = step(failed, { type: "start", from: "c" }, "d").state;
    assert.equal(second.attempt, 2);
    assert.deepEqual(step(second, { type: "succeed", from: "old" }).state, second);
  });

  it("a wait lasts as long as a suspended run may, and is followed by twice the usual time", () => {
    const waiting = step(STATES.executing, { type: "block", keepsSlot: false }, "b").state;
    assert.equal(waiting.deadline, NOW + TIMEOUTS.waiting);
    assert.equal(step(waiting, { type: "resume" }).state.deadline, NOW + 2 * TIMEOUTS.executing);
  });

  it("a wait that grows longer gives the slot up, never takes it back", () => {
    const short = step(STATES.executing, { type: "block", keepsSlot: true }, "b").state;
    assert.equal(short.keepsSlot, true);
    const long = step(short, { type: "block", keepsSlot: false }, "c").state;
    assert.equal(long.keepsSlot, false);
    assert.equal(step(long, { type: "block", keepsSlot: true }, "d").state.keepsSlot, false);
  });
});
