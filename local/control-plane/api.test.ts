// The wire: every reply is what the official clients' own schemas accept, and a request that is
// repeated after a lost reply is answered as the first was. A worker is played by plain requests.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  CanceledRunResponse,
  DevConfigResponseBody,
  DevDisconnectResponseBody,
  GetEnvironmentVariablesResponseBody,
  GetProjectEnvResponse,
  ListRunResponse,
  ReplayRunResponse,
  RetrieveRunResponse,
  TaskRunExecutionResult,
  UpdateMetadataResponseBody,
  UpsertBranchResponseBody,
  WhoAmIResponseSchema,
} from "@trigger.dev/core/v3";
import {
  WorkerApiRunAttemptCompleteResponseBody,
  WorkerApiRunHeartbeatResponseBody,
  WorkerApiRunLatestSnapshotResponseBody,
} from "@trigger.dev/core/v3/workers";
import { z } from "zod";
import { scratchFolder } from "./fixtures/harness.ts";
import { failure, PlayedWorker, snapshotPath, success } from "./fixtures/played-worker.ts";
import { type ControlPlane, startControlPlane } from "./index.ts";

const folder = scratchFolder();
let plane: ControlPlane;
let worker: PlayedWorker;

before(async () => {
  plane = await startControlPlane({ state: folder.path, projectRef: "proj_conformance" });
  worker = new PlayedWorker(plane);
});

after(async () => {
  await plane?.close();
  folder.remove();
});

describe("every reply conforms to the official schema", () => {
  it("of what the CLI asks before it works", async () => {
    const personal = { key: plane.accessToken };
    await worker.ok(WhoAmIResponseSchema, "GET /api/v2/whoami", personal);
    await worker.ok(
      z.object({ notification: z.null() }),
      "GET /api/v1/platform-notifications",
      personal,
    );
    const project = "/api/v1/projects/proj_conformance";
    const env = await worker.ok(GetProjectEnvResponse, `GET ${project}/dev`, personal);
    assert.equal(env.apiKey, plane.secretKey);
    await worker.ok(UpsertBranchResponseBody, `POST ${project}/branches`, {
      ...personal,
      body: { branch: "b", env: "development" },
    });
    const config = await worker.ok(DevConfigResponseBody, "GET /engine/v1/dev/config");
    assert.equal(config.engineUrl, plane.url);
    assert.equal(config.environmentId, plane.environmentId);
    const { variables } = await worker.ok(
      GetEnvironmentVariablesResponseBody,
      `GET ${project}/envvars`,
    );
    assert.equal(variables.TRIGGER_OTEL_EXPORTER_OTLP_ENDPOINT, `${plane.url}/otel`);
  });

  it("of a run from trigger to result", async () => {
    const { run, snapshot, started } = await worker.executing({ tags: ["a"], metadata: '{"m":1}' });
    assert.equal(started.execution.attempt.number, 1);
    assert.equal(started.execution.run.payload, '{"json":{"n":1}}');
    assert.deepEqual(started.execution.run.metadata, { m: 1 });
    assert.equal(started.execution.project.ref, "proj_conformance");
    assert.ok(started.envVars.TRIGGER_OTEL_EXPORTER_OTLP_ENDPOINT);
    await worker.ok(
      WorkerApiRunHeartbeatResponseBody,
      `POST ${snapshotPath(run, snapshot)}/heartbeat`,
      {
        body: { cpu: 0, memory: 0 },
      },
    );
    const { execution } = await worker.ok(
      WorkerApiRunLatestSnapshotResponseBody,
      `GET ${snapshotPath(run, "latest")}`,
    );
    assert.equal(execution.snapshot.friendlyId, snapshot);
    assert.equal(execution.run.attemptNumber, 1);
    await worker.ok(z.object({}), `POST /engine/v1/dev/runs/${run}/logs/debug`, {
      body: { time: new Date(), message: "hi", properties: { n: 1 } },
    });
    await worker.ok(UpdateMetadataResponseBody, `PUT /api/v1/runs/${run}/metadata`, {
      body: { operations: [{ type: "set", key: "k", value: "v" }] },
    });
    await worker.ok(z.object({ message: z.string() }), `POST /api/v1/runs/${run}/tags`, {
      body: { tags: "b" },
    });
    const notYet = await worker.call(`GET /api/v1/runs/${run}/result`);
    assert.equal(notYet.status, 404);
    const done = await worker.complete(run, snapshot, success(run));
    const { result } = WorkerApiRunAttemptCompleteResponseBody.parse(done.body);
    assert.equal(result.attemptStatus, "RUN_FINISHED");
    const read = await worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${run}`);
    assert.equal(read.status, "COMPLETED");
    assert.deepEqual(read.payload, { n: 1 });
    assert.equal(read.output, "done");
    assert.deepEqual(read.tags, ["a", "b"]);
    assert.deepEqual(read.metadata, { m: 1, k: "v" });
    const list = await worker.ok(ListRunResponse, "GET /api/v1/runs?filter[status]=COMPLETED");
    assert.ok(list.data.some((each) => each.id === run));
    const value = await worker.ok(TaskRunExecutionResult, `GET /api/v1/runs/${run}/result`);
    assert.equal(value.ok && value.output, '"done"');
    await worker.ok(CanceledRunResponse, `POST /api/v2/runs/${run}/cancel`);
    const { id } = await worker.ok(ReplayRunResponse, `POST /api/v1/runs/${run}/replay`, {
      body: {},
    });
    await worker.ok(CanceledRunResponse, `POST /api/v2/runs/${id}/cancel`);
    assert.equal(
      (await worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${id}`)).status,
      "CANCELED",
    );
  });

  it("of retries: soon by the same worker, later through the queue", async () => {
    const { run, snapshot } = await worker.executing();
    const soon = { timestamp: Date.now() + 20, delay: 20 };
    const first = await worker.complete(run, snapshot, failure(run, soon));
    const again = WorkerApiRunAttemptCompleteResponseBody.parse(first.body).result;
    assert.equal(again.attemptStatus, "RETRY_IMMEDIATELY");
    assert.equal(again.run.attemptNumber, 1, "or the CLI's controller gives up");
    const second = await worker.start(run, again.snapshot.friendlyId);
    assert.equal(second.execution.attempt.number, 2);
    const later = { timestamp: Date.now() + 60_000, delay: 60_000 };
    const queued = await worker.complete(run, second.snapshot.friendlyId, failure(run, later));
    const { result } = WorkerApiRunAttemptCompleteResponseBody.parse(queued.body);
    assert.equal(result.attemptStatus, "RETRY_QUEUED");
    assert.equal(
      (await worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${run}`)).status,
      "QUEUED",
    );
    await worker.ok(CanceledRunResponse, `POST /api/v2/runs/${run}/cancel`);
  });

  it("of the watchdog's report", async () => {
    const { run, snapshot } = await worker.executing();
    const { cancelled } = await worker.ok(
      DevDisconnectResponseBody,
      "POST /engine/v1/dev/disconnect",
      {
        body: { runFriendlyIds: [run] },
      },
    );
    assert.equal(cancelled, 1);
    const late = await worker.complete(run, snapshot, success(run));
    assert.equal(late.status, 400);
    assert.equal(
      (await worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${run}`)).status,
      "CANCELED",
    );
  });

  it("of telemetry, which is stored with its run", async () => {
    const { run, snapshot, started } = await worker.executing();
    const { traceparent } = z
      .object({ traceparent: z.string() })
      .parse(started.execution.run.traceContext);
    const [, traceId = "", parentSpanId = ""] = traceparent.split("-");
    const attributes = [{ key: "ctx.run.id", value: { stringValue: run } }];
    const span = {
      traceId,
      spanId: "00f067aa0ba902b7",
      parentSpanId,
      name: "step",
      startTimeUnixNano: "1700000000000000001",
      endTimeUnixNano: "1700000000000000002",
      attributes,
      status: { code: 2 },
      events: [],
    };
    const resource = { attributes: [] };
    const open = { key: null };
    await worker.ok(z.object({}), "POST /otel/v1/traces", {
      ...open,
      body: { resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] },
    });
    const record = {
      timeUnixNano: "1700000000000000003",
      severityText: "WARN",
      body: { stringValue: "hm" },
    };
    await worker.ok(z.object({}), "POST /otel/v1/logs", {
      ...open,
      body: { resourceLogs: [{ resource, scopeLogs: [{ logRecords: [{ ...record, traceId }] }] }] },
    });
    await worker.ok(z.object({}), "POST /otel/v1/metrics", {
      ...open,
      body: { resourceMetrics: [] },
    });
    const detail = await worker.page(`GET /page/runs/${run}`);
    const { spans, logs } = z
      .object({
        spans: z.array(z.object({ name: z.string(), status: z.string(), parentId: z.string() })),
        logs: z.array(z.object({ body: z.string(), severity: z.string() })),
      })
      .parse(detail.body);
    assert.deepEqual(spans, [{ name: "step", status: "ERROR", parentId: parentSpanId }]);
    assert.deepEqual(logs, [{ body: "hm", severity: "WARN" }]);
    await worker.complete(run, snapshot, success(run));
  });
});

describe("a repeated request", () => {
  it("with the same key of the SDK makes one run", async () => {
    const headers = { "x-trigger-request-idempotency-key": `key-${Date.now()}` };
    const first = await worker.trigger({ delay: "1h" }, headers);
    assert.equal(await worker.trigger({ delay: "1h" }, headers), first);
    assert.notEqual(await worker.trigger({ delay: "1h" }), first);
  });

  it("to start or complete an attempt is answered as the first was", async () => {
    await worker.workerId();
    const run = await worker.trigger();
    const message = await worker.dequeue(run);
    const first = await worker.start(run, message.snapshot.friendlyId);
    const again = await worker.start(run, message.snapshot.friendlyId);
    assert.equal(again.execution.attempt.number, 1);
    assert.equal(again.snapshot.friendlyId, first.snapshot.friendlyId);
    const one = await worker.complete(run, first.snapshot.friendlyId, success(run));
    const two = await worker.complete(run, first.snapshot.friendlyId, success(run));
    assert.deepEqual(two, one);
  });

  it("to register the same code gives the same version, other code the next one", async () => {
    const a = await worker.register("same", "versions");
    assert.deepEqual(await worker.register("same", "versions"), a);
    const b = await worker.register("other", "versions");
    const order = (version: string) => Number(version.split(".")[1]);
    assert.ok(order(b.version) > order(a.version));
  });
});

describe("a completion", () => {
  it("with an old snapshot is refused, and the run goes on", async () => {
    const { run, message, snapshot } = await worker.executing();
    const stale = await worker.complete(run, message.snapshot.friendlyId, success(run));
    assert.deepEqual(stale, {
      status: 400,
      body: { error: "Snapshot ID doesn't match the latest snapshot" },
      retry: "false",
    });
    assert.equal((await worker.complete(run, snapshot, success(run))).status, 200);
  });

  it("after a cancel leaves the run cancelled, whatever it says", async () => {
    const { run, snapshot } = await worker.executing();
    await worker.call(`POST /api/v2/runs/${run}/cancel`);
    const { execution } = await worker.ok(
      WorkerApiRunLatestSnapshotResponseBody,
      `GET ${snapshotPath(run, "latest")}`,
    );
    assert.equal(execution.snapshot.executionStatus, "PENDING_CANCEL");
    const cancelling = execution.snapshot.friendlyId;
    assert.notEqual(cancelling, snapshot);
    const done = await worker.complete(run, cancelling, success(run));
    assert.equal(
      WorkerApiRunAttemptCompleteResponseBody.parse(done.body).result.attemptStatus,
      "RUN_FINISHED",
    );
    const read = await worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${run}`);
    assert.equal(read.status, "CANCELED");
    assert.equal(read.output, undefined);
    assert.ok(read.finishedAt);
  });
});
