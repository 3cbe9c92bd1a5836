// Waits on the wire: a parent that waits for a run, a time or a batch, what it is told when it goes on,
// and what a failure, a cancel or a restart does to it. A worker is played by plain requests.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  RetrieveBatchV2Response,
  RetrieveRunResponse,
  StreamBatchItemsResponse,
  WaitForDurationResponseBody,
} from "@trigger.dev/core/v3";
import Libsql from "libsql";
import { EventLog, scratchFolder, waitUntil } from "./fixtures/harness.ts";
import { failure, PlayedWorker, snapshotPath, success } from "./fixtures/played-worker.ts";
import { type ControlPlane, startControlPlane } from "./index.ts";

const folder = scratchFolder();
let plane: ControlPlane;
let worker: PlayedWorker;
let log: EventLog;

async function start(): Promise<void> {
  plane = await startControlPlane({ state: folder.path, projectRef: "proj_waits" });
  worker = new PlayedWorker(plane);
  log = new EventLog(plane);
}

before(start);

after(async () => {
  await plane?.close();
  folder.remove();
});

const read = (run: string) => worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${run}`);

async function finish(run: string, completion = success(run)): Promise<void> {
  const snapshot = await worker.begin(run);
  assert.equal((await worker.complete(run, snapshot, completion)).status, 200);
}

/** Ends whatever a test has begun. */
async function end(run: string): Promise<void> {
  const { snapshot } = await worker.latest(run);
  assert.equal((await worker.complete(run, snapshot.friendlyId, success(run))).status, 200);
}

async function isWaiting(run: string): Promise<boolean> {
  const { snapshot, completedWaitpoints } = await worker.latest(run);
  if (snapshot.executionStatus === "EXECUTING_WITH_WAITPOINTS") return true;
  assert.equal(snapshot.executionStatus, "EXECUTING");
  assert.ok(completedWaitpoints.length > 0);
  return false;
}

describe("a run that waits for another one", () => {
  it("is told of its output when it is there, and never that it waits", async () => {
    const { run, snapshot } = await worker.executing();
    const child = await worker.triggerAndWait(run);
    assert.equal(await isWaiting(run), true);
    await worker.call(`POST ${snapshotPath(run, snapshot)}/heartbeat`, {
      body: { cpu: 0, memory: 0 },
    });
    await finish(child);
    const { snapshot: next, completedWaitpoints } = await worker.latest(run);
    assert.equal(next.executionStatus, "EXECUTING");
    const [waitpoint, ...more] = completedWaitpoints;
    assert.equal(more.length, 0);
    assert.equal(waitpoint?.type, "RUN");
    assert.equal(waitpoint.completedByTaskRun?.friendlyId, child);
    assert.equal(waitpoint.output, '"done"');
    assert.equal(waitpoint.outputIsError, false);
    await log.refresh();
    assert.equal(log.of(run, "worker notified").length, 1, "only when it may go on");
    assert.equal(log.of(run, "resumed").length, 1);
    assert.equal((await read(run)).relatedRuns.children?.[0]?.id, child);
    assert.equal((await read(child)).triggerFunction, "triggerAndWait");
    await end(run);
  });

  it("gets the child's error as JSON when it failed, was cancelled or expired", async () => {
    const { run } = await worker.executing();
    const failed = await worker.triggerAndWait(run, { maxAttempts: 1 });
    await finish(failed, failure(failed));
    const first = (await worker.latest(run)).completedWaitpoints[0];
    assert.equal(first?.outputIsError, true);
    assert.equal(JSON.parse(first.output ?? "").message, "no");
    const cancelled = await worker.triggerAndWait(run);
    await worker.call(`POST /api/v2/runs/${cancelled}/cancel`);
    const second = (await worker.latest(run)).completedWaitpoints[0];
    assert.deepEqual(JSON.parse(second?.output ?? ""), {
      type: "STRING_ERROR",
      raw: "Canceled by user",
    });
    const expired = await worker.triggerAndWait(run, { ttl: "1s" }, "no-such-task");
    await log.until("finished", { runId: expired });
    const third = (await worker.latest(run)).completedWaitpoints[0];
    assert.match(third?.output ?? "", /expired because the TTL \(1s\)/);
    await end(run);
  });

  it("finds the child of a key: done at once, under way to wait for, failed anew", async () => {
    const { run } = await worker.executing();
    const other = await worker.executing();
    const key = { idempotencyKey: `cached-${run}`, idempotencyKeyTTL: "1h" };
    const child = await worker.triggerAndWait(run, key);
    assert.equal(await worker.triggerAndWait(other.run, key), child);
    assert.equal(await isWaiting(other.run), true);
    await finish(child);
    for (const parent of [run, other.run]) {
      const [waitpoint] = (await worker.latest(parent)).completedWaitpoints;
      assert.equal(waitpoint?.completedByTaskRun?.friendlyId, child);
    }
    assert.equal(await worker.triggerAndWait(run, key), child);
    assert.equal(await isWaiting(run), false);
    const failing = { idempotencyKey: `failing-${run}`, maxAttempts: 1 };
    const first = await worker.triggerAndWait(run, failing);
    await finish(first, failure(first));
    const second = await worker.triggerAndWait(run, failing);
    assert.notEqual(second, first);
    await finish(second);
    for (const parent of [run, other.run]) await end(parent);
  });

  it("may use a key again after its time, or after it was reset", async () => {
    const { run } = await worker.executing();
    const key = `short-${run}`;
    const first = await worker.trigger({ idempotencyKey: key, idempotencyKeyTTL: "1s" });
    assert.equal(await worker.trigger({ idempotencyKey: key }), first);
    await waitUntil("the key is free again", async () => {
      const now = await worker.trigger({ idempotencyKey: key, idempotencyKeyTTL: "1h" });
      return now !== first;
    });
    const reset = `POST /api/v1/idempotencyKeys/${key}/reset`;
    const body = { taskIdentifier: "played" };
    const second = await worker.trigger({ idempotencyKey: key });
    assert.equal((await worker.call(reset, { body })).status, 200);
    assert.equal((await worker.call(reset, { body })).status, 404);
    const third = await worker.trigger({ idempotencyKey: key });
    assert.notEqual(third, second);
    for (const id of [first, second, third]) await worker.call(`POST /api/v2/runs/${id}/cancel`);
    await end(run);
  });

  it("whose process dies begins anew, forgets its waits and finds what is done", async () => {
    const { run, snapshot } = await worker.executing();
    const done = { idempotencyKey: `done-${run}` };
    const first = await worker.triggerAndWait(run, done);
    await finish(first);
    const child = await worker.triggerAndWait(run, { idempotencyKey: `child-${run}` });
    const soon = { timestamp: Date.now(), delay: 0 };
    // The CLI was told of the first wait's end only; its process died in the second.
    const died = await worker.complete(run, snapshot, failure(run, soon));
    assert.equal(died.status, 200, JSON.stringify(died.body));
    const { snapshot: retry } = await worker.latest(run);
    await finish(child);
    assert.equal((await worker.latest(run)).snapshot.friendlyId, retry.friendlyId);
    const again = await worker.start(run, retry.friendlyId);
    assert.equal(again.execution.attempt.number, 2);
    assert.equal(await worker.triggerAndWait(run, done), first);
    assert.equal(await isWaiting(run), false);
    await end(run);
  });

  it("is refused a wait that nobody could end", async () => {
    const { run } = await worker.executing();
    const trigger = (parentRunId: string) =>
      worker.call("POST /api/v1/tasks/played/trigger", {
        body: { payload: "1", options: { parentRunId, resumeParentOnCompletion: true } },
      });
    assert.equal((await trigger("run_unknown")).status, 404);
    await end(run);
    const late = await trigger(run);
    assert.equal(late.status, 422);
    assert.match(JSON.stringify(late.body), /COMPLETED_SUCCESSFULLY/);
    assert.equal((await read(run)).relatedRuns.children?.length, 0);
  });
});

describe("a run that waits for a time", () => {
  const wait = (run: string, body: Record<string, unknown>) =>
    worker.ok(WaitForDurationResponseBody, `POST /engine/v1/runs/${run}/wait/duration`, { body });

  it("goes on at that time, and at once when the time is over", async () => {
    const { run } = await worker.executing();
    const date = new Date(Date.now() + 150);
    const { waitpoint } = await wait(run, { date });
    assert.equal(await isWaiting(run), true);
    const resumed = await log.until("resumed", { runId: run });
    assert.ok(resumed.at >= date.getTime());
    const [done] = (await worker.latest(run)).completedWaitpoints;
    assert.equal(done?.friendlyId, waitpoint.id);
    assert.equal(done.type, "DATETIME");
    await wait(run, { date: new Date(0) });
    assert.equal(await isWaiting(run), false);
    await end(run);
  });

  it("with a key waits for the time that was given first", async () => {
    const { run } = await worker.executing();
    const key = { idempotencyKey: `wait-${run}`, idempotencyKeyTTL: "1h" };
    const first = await wait(run, { date: new Date(Date.now() + 50), ...key });
    await log.until("resumed", { runId: run });
    const again = await wait(run, { date: new Date(Date.now() + 60_000), ...key });
    assert.equal(again.waitpoint.id, first.waitpoint.id);
    assert.equal(await isWaiting(run), false);
    const brief = { date: new Date(0), idempotencyKey: `brief-${run}`, idempotencyKeyTTL: "1s" };
    const { id } = (await wait(run, brief)).waitpoint;
    await waitUntil("the key is free again", async () => {
      return (await wait(run, brief)).waitpoint.id !== id;
    });
    await end(run);
  });

  it("goes on after a restart when the time has come meanwhile", async () => {
    const { run } = await worker.executing();
    const other = await worker.executing();
    const child = await worker.triggerAndWait(run);
    await wait(other.run, { date: new Date(Date.now() + 100) });
    await plane.close();
    await start();
    await log.until("resumed", { runId: other.run });
    assert.equal(await isWaiting(run), true);
    await finish(child);
    assert.equal(await isWaiting(run), false);
    await end(run);
    await end(other.run);
  });

  it("goes on after a kill between the end of its wait and the news of it", async () => {
    const { run } = await worker.executing();
    const { waitpoint } = await wait(run, { date: new Date(Date.now() + 3_600_000) });
    await plane.close();
    const db = new Libsql(join(folder.path, "control-plane.db"));
    const sql = "update waitpoints set completed_at = ? where id = ?";
    db.prepare(sql).run([Date.now(), waitpoint.id]);
    db.close();
    await start();
    assert.equal(await isWaiting(run), false);
    await end(run);
  });
});

describe("a batch", () => {
  const create = (body: Record<string, unknown>) =>
    worker.call("POST /api/v3/batches", { body }).then(({ status, body: answer }) => {
      assert.equal(status, 200, JSON.stringify(answer));
      return answer as { id: string; isCached: boolean };
    });
  const line = (index: number, options = {}) =>
    JSON.stringify({
      index,
      task: "played",
      payload: `{"json":${index}}`,
      options: { payloadType: "application/super+json", ...options },
    });
  const hand = (batch: string, lines: string[]) =>
    worker.ok(StreamBatchItemsResponse, `POST /api/v3/batches/${batch}/items`, {
      body: `${lines.join("\n")}\n`,
    });
  const retrieve = (batch: string) =>
    worker.ok(RetrieveBatchV2Response, `GET /api/v2/batches/${batch}`);

  it("that is waited for gives every result its index; what comes twice is one run", async () => {
    const { run } = await worker.executing();
    const waits = { parentRunId: run, resumeParentOnCompletion: true };
    const { id } = await create({ runCount: 3, ...waits });
    assert.equal(await isWaiting(run), true);
    const part = await hand(id, [line(0)]);
    assert.deepEqual([part.sealed, part.enqueuedCount, part.expectedCount], [false, 1, 3]);
    const [first] = await worker.dequeueAll();
    const begun = await worker.latest(first ?? "");
    const started = await worker.start(first ?? "", begun.snapshot.friendlyId);
    await worker.complete(first ?? "", started.snapshot.friendlyId, success(first ?? ""));
    assert.equal(await isWaiting(run), true, "not before the batch is complete");
    const rest = await hand(id, [line(0), line(1), line(2, { maxAttempts: 1 })]);
    assert.deepEqual([rest.sealed, rest.itemsAccepted, rest.itemsDeduplicated], [true, 2, 1]);
    const again = await hand(id, [line(0), line(1), line(2)]);
    assert.deepEqual([again.sealed, again.itemsDeduplicated], [true, 3]);
    const { runs, status } = await retrieve(id);
    assert.equal(status, "PROCESSING");
    assert.equal(runs[0], first);
    for (const child of await worker.dequeueAll()) {
      const { snapshot } = await worker.latest(child);
      const attempt = await worker.start(child, snapshot.friendlyId);
      const completion = child === runs[2] ? failure(child) : success(child);
      await worker.complete(child, attempt.snapshot.friendlyId, completion);
    }
    const items = (await worker.latest(run)).completedWaitpoints.filter(
      (each) => each.type === "RUN",
    );
    assert.deepEqual(
      items.map((each) => [each.index, each.completedByTaskRun?.friendlyId, each.outputIsError]),
      [
        [0, runs[0], false],
        [1, runs[1], false],
        [2, runs[2], true],
      ],
    );
    assert.equal(items[0]?.completedByTaskRun?.batch?.friendlyId, id);
    assert.equal((await retrieve(id)).status, "COMPLETED");
    assert.equal((await read(runs[1] ?? "")).triggerFunction, "batchTriggerAndWait");
    await end(run);
  });

  it("with a key is the same batch; a parent that begins anew waits for what is left of it", async () => {
    const { run, snapshot } = await worker.executing();
    const body = {
      runCount: 2,
      parentRunId: run,
      resumeParentOnCompletion: true,
      idempotencyKey: `batch-${run}`,
    };
    const { id } = await create(body);
    await hand(id, [line(0), line(1)]);
    const [one = "", two = ""] = (await retrieve(id)).runs;
    await worker.complete(run, snapshot, failure(run, { timestamp: Date.now(), delay: 0 }));
    const retry = await worker.latest(run);
    await worker.start(run, retry.snapshot.friendlyId);
    for (const child of await worker.dequeueAll()) {
      const dequeued = await worker.latest(child);
      const begun = await worker.start(child, dequeued.snapshot.friendlyId);
      if (child === one) await worker.complete(child, begun.snapshot.friendlyId, success(child));
    }
    const again = await create(body);
    assert.deepEqual([again.id, again.isCached], [id, true]);
    assert.equal(await isWaiting(run), true);
    await end(two);
    const { completedWaitpoints } = await worker.latest(run);
    assert.deepEqual(
      completedWaitpoints.map((each) => each.completedByTaskRun?.friendlyId),
      [one, two],
    );
    await end(run);
  });

  it("that is not waited for leaves its parent alone; one that is given up holds nobody up", async () => {
    const { run } = await worker.executing();
    const { id } = await create({ runCount: 1, parentRunId: run });
    await hand(id, [line(0, { delay: "1h" })]);
    assert.equal((await worker.latest(run)).snapshot.executionStatus, "EXECUTING");
    const [loose = ""] = (await retrieve(id)).runs;
    await create({ runCount: 5, parentRunId: run, resumeParentOnCompletion: true });
    const child = await worker.triggerAndWait(run);
    await finish(child);
    assert.equal(await isWaiting(run), false);
    await worker.call(`POST /api/v2/runs/${loose}/cancel`);
    await end(run);
  });

  it("whose announcement is sent again after a lost reply is one batch", async () => {
    const { run } = await worker.executing();
    const headers = { "x-trigger-request-idempotency-key": `lost-${run}` };
    const body = { runCount: 1, parentRunId: run, resumeParentOnCompletion: true };
    const announce = () => worker.call("POST /api/v3/batches", { body, headers });
    const first = (await announce()).body as { id: string };
    assert.deepEqual((await announce()).body, first);
    await hand(first.id, [line(0)]);
    const [child = ""] = (await retrieve(first.id)).runs;
    await finish(child);
    assert.equal(await isWaiting(run), false);
    await end(run);
  });

  it("is refused with too many items, a line that is no item, or an item beyond its end", async () => {
    const many = await worker.call("POST /api/v3/batches", { body: { runCount: 1_001 } });
    assert.equal(many.status, 422);
    const { id } = await create({ runCount: 1 });
    const items = `POST /api/v3/batches/${id}/items`;
    assert.equal((await worker.call(items, { body: "{" })).status, 400);
    assert.equal((await worker.call(items, { body: '{"index":-1,"task":"x"}' })).status, 400);
    assert.equal((await worker.call(items, { body: line(1) })).status, 422);
    assert.equal((await worker.call("POST /api/v3/batches/batch_x/items")).status, 404);
    assert.deepEqual((await retrieve(id)).runs, []);
  });
});

describe("a replay", () => {
  it("is a run of its own that begins with what the trigger gave, not with what came of it", async () => {
    const { run, snapshot } = await worker.executing({
      metadata: '{"given":1}',
      tags: ["project_1"],
      idempotencyKey: "replayed",
    });
    await worker.call(`PUT /api/v1/runs/${run}/metadata`, {
      body: { operations: [{ type: "set", key: "step", value: 9 }] },
    });
    await worker.complete(run, snapshot, success(run));
    const { body } = await worker.call(`POST /api/v1/runs/${run}/replay`, { body: {} });
    const { id } = body as { id: string };
    const replay = await read(id);
    assert.notEqual(id, run);
    assert.deepEqual(replay.metadata, { given: 1 });
    assert.deepEqual(replay.tags, ["project_1"]);
    assert.deepEqual(replay.payload, { n: 1 });
    assert.equal(replay.idempotencyKey, undefined);
    await worker.call(`POST /api/v2/runs/${id}/cancel`);
  });
});

describe("a cancel of a parent", () => {
  it("cancels its children with it, at work, in the queue or waiting themselves", async () => {
    const { run } = await worker.executing();
    const working = await worker.trigger({ parentRunId: run });
    await worker.begin(working);
    const inner = await worker.triggerAndWait(run);
    await worker.begin(inner);
    const innermost = await worker.triggerAndWait(inner);
    const queued = await worker.trigger({ parentRunId: run, delay: "1h" });
    await worker.call(`POST /api/v2/runs/${run}/cancel`);
    for (const id of [run, working, inner, innermost, queued]) {
      assert.equal((await read(id)).status, "CANCELED", id);
    }
    for (const id of [run, working, inner]) {
      assert.equal((await worker.latest(id)).snapshot.executionStatus, "PENDING_CANCEL");
    }
    for (const id of [innermost, queued]) assert.ok((await read(id)).finishedAt);
    await log.refresh();
    const [asked] = log.of(run, "cancel requested");
    const [reached] = log.of(inner, "worker notified");
    assert.ok(asked && reached && reached.at - asked.at < 250);
    for (const id of [inner, working, run]) await end(id);
  });
});
