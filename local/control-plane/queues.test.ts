// The limits of queues on the wire: who is given out, who waits in the queue, and whose slot is free
// while it waits for something else. A worker is played by plain requests.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { RetrieveRunResponse } from "@trigger.dev/core/v3";
import { EventLog, scratchFolder } from "./fixtures/harness.ts";
import { PlayedWorker, success } from "./fixtures/played-worker.ts";
import { type ControlPlane, startControlPlane } from "./index.ts";

const folder = scratchFolder();
let plane: ControlPlane;
let worker: PlayedWorker;
let log: EventLog;

before(async () => {
  plane = await startControlPlane({ state: folder.path, projectRef: "proj_queues" });
  worker = new PlayedWorker(plane);
  log = new EventLog(plane);
  await worker.workerId();
});

after(async () => {
  await plane?.close();
  folder.remove();
});

const one = (options = {}) => worker.trigger(options, {}, "one-at-a-time");

async function begin(run: string): Promise<void> {
  const { snapshot } = await worker.latest(run);
  await worker.start(run, snapshot.friendlyId);
}

async function end(run: string): Promise<void> {
  const { snapshot } = await worker.latest(run);
  assert.equal((await worker.complete(run, snapshot.friendlyId, success(run))).status, 200);
}

const statusOf = async (run: string) =>
  (await worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${run}`)).status;

describe("a queue with a limit", () => {
  it("gives out as many runs as it allows, the next one when a slot is free, in order", async () => {
    const runs = [await one(), await one(), await one()];
    const free = await worker.trigger();
    assert.deepEqual(await worker.dequeueAll(), [runs[0], free], "another queue goes on");
    await begin(runs[0] ?? "");
    const next = worker.dequeueAll();
    await end(runs[0] ?? "");
    assert.deepEqual(await next, [runs[1]]);
    for (const run of [free, runs[1] ?? ""]) {
      await begin(run);
      await end(run);
    }
    assert.deepEqual(await worker.dequeueAll(), [runs[2]]);
    await begin(runs[2] ?? "");
    await end(runs[2] ?? "");
  });

  it("takes a run of higher priority first", async () => {
    const late = await one();
    const early = await one({ priority: 60 });
    assert.deepEqual(await worker.dequeueAll(), [early]);
    await begin(early);
    await end(early);
    assert.deepEqual(await worker.dequeueAll(), [late]);
    await begin(late);
    await end(late);
  });

  it("counts every concurrency key by itself", async () => {
    const a = await one({ concurrencyKey: "a" });
    const again = await one({ concurrencyKey: "a" });
    const b = await one({ concurrencyKey: "b" });
    assert.deepEqual(await worker.dequeueAll(), [a, b]);
    await worker.call(`POST /api/v2/runs/${a}/cancel`);
    assert.deepEqual(await worker.dequeueAll(), [again]);
    for (const run of [again, b]) await worker.call(`POST /api/v2/runs/${run}/cancel`);
  });

  it("that tasks share by its name is limited once, also for one named at the trigger", async () => {
    const shares = () => worker.trigger({}, {}, "shares");
    const runs = [
      await shares(),
      await worker.trigger({ queue: { name: "shared" } }),
      await shares(),
    ];
    assert.deepEqual(await worker.dequeueAll(), runs.slice(0, 2));
    assert.equal(await statusOf(runs[2] ?? ""), "QUEUED");
    for (const run of runs) await worker.call(`POST /api/v2/runs/${run}/cancel`);
  });
});

describe("a parent that waits", () => {
  it("leaves its slot to its child, and needs one again to go on", async () => {
    const parent = await one();
    assert.deepEqual(await worker.dequeueAll(), [parent]);
    await begin(parent);
    const child = await worker.triggerAndWait(parent, { priority: 60 }, "one-at-a-time");
    const other = await one();
    assert.deepEqual(await worker.dequeueAll(), [child], "no deadlock in a queue of one");
    await begin(child);
    await end(child);
    await log.until("resumed", { runId: parent });
    assert.equal(await statusOf(other), "QUEUED", "who waited longer goes first");
    const inner = await worker.triggerAndWait(parent);
    assert.deepEqual(await worker.dequeueAll(), [other, inner]);
    await begin(other);
    await begin(inner);
    await end(inner);
    const { snapshot } = await worker.latest(parent);
    assert.equal(snapshot.executionStatus, "EXECUTING_WITH_WAITPOINTS", "the slot is taken");
    await end(other);
    assert.equal((await worker.latest(parent)).snapshot.executionStatus, "EXECUTING");
    await end(parent);
  });

  it("for less than a minute keeps its slot, for longer it does not", async () => {
    const parent = await one();
    assert.deepEqual(await worker.dequeueAll(), [parent]);
    await begin(parent);
    const next = await one();
    const free = await worker.trigger();
    const path = `POST /engine/v1/runs/${parent}/wait/duration`;
    await worker.call(path, { body: { date: new Date(Date.now() + 50_000) } });
    assert.deepEqual(await worker.dequeueAll(), [free]);
    await worker.call(path, { body: { date: new Date(Date.now() + 3_600_000) } });
    assert.deepEqual(await worker.dequeueAll(), [next]);
    for (const run of [parent, next, free]) await worker.call(`POST /api/v2/runs/${run}/cancel`);
  });
});
