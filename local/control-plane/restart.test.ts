// A control plane that is killed and started again on the same port and state: nothing that was
// accepted is lost, nothing runs twice, and the CLI, which lives through it, goes on.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { runs, tasks } from "@trigger.dev/sdk";
import { z } from "zod";
import { type SpawnedService, spawnService } from "../service.ts";
import type { Cli } from "./cli.ts";
import {
  EventLog,
  finished,
  hasMetadata,
  type Plane,
  scratchFolder,
  startFixtureCli,
  useSdk,
} from "./fixtures/harness.ts";

const Ready = z.object({
  url: z.string(),
  port: z.number(),
  secretKey: z.string(),
  accessToken: z.string(),
  projectRef: z.string(),
  environmentId: z.string(),
  adminKey: z.string(),
});

const folder = scratchFolder();
let service: SpawnedService;
let plane: Plane & { port: number };
let cli: Cli;
let log: EventLog;

async function start(port?: number): Promise<void> {
  const args = ["--state", folder.path, ...(port === undefined ? [] : ["--port", String(port)])];
  service = await spawnService("control-plane", { args });
  const ready = Ready.parse(service.info);
  if (plane !== undefined) assert.deepEqual({ ...ready }, { ...plane }, "the keys stay the same");
  plane = ready;
}

async function killAndRestart(meanwhile?: () => Promise<void>): Promise<void> {
  await service.kill("SIGKILL");
  await meanwhile?.();
  await start(plane.port);
}

before(async () => {
  await start();
  useSdk(plane);
  log = new EventLog(plane);
  cli = await startFixtureCli(plane, { branch: "restart", home: `${folder.path}/home` });
});

after(async () => {
  await cli?.close();
  await service?.close();
  folder.remove();
});

describe("a control plane that is killed and started again", () => {
  it("goes on with an executing run, which ends as if nothing had been", async () => {
    const { id } = await tasks.trigger("works", { ms: 2_500 });
    await hasMetadata(id, "started");
    await killAndRestart();
    const run = await finished(id);
    assert.equal(run.status, "COMPLETED");
    assert.deepEqual(run.output, { worked: 2_500 });
    assert.equal(run.attemptCount, 1);
  });

  it("takes the result of a run that ended while it was away", async () => {
    const { id } = await tasks.trigger("works", { ms: 300 });
    await hasMetadata(id, "started");
    await killAndRestart();
    const run = await finished(id);
    assert.equal(run.status, "COMPLETED");
    assert.equal(run.attemptCount, 1);
  });

  it("gives out what was queued and keeps what was delayed", async () => {
    const at = new Date(Date.now() + 2_000);
    const delayed = await tasks.trigger("hello", { name: "delayed" }, { delay: at });
    const waiting = await tasks.trigger(
      "hello",
      { name: "queued" },
      { delay: new Date(Date.now() + 100) },
    );
    await killAndRestart();
    assert.equal((await finished(waiting.id)).status, "COMPLETED");
    const run = await finished(delayed.id);
    assert.equal(run.status, "COMPLETED");
    assert.ok(run.startedAt && run.startedAt >= at);
  });

  it("keeps a retry that was due while it was away", async () => {
    const { id } = await tasks.trigger("fails-then-succeeds", { failures: 1 });
    await log.until("retry scheduled", { runId: id });
    await killAndRestart();
    const run = await finished(id);
    assert.equal(run.status, "COMPLETED");
    assert.deepEqual(run.output, { attempt: 2 });
  });

  it("cancels a run that began before it was killed", async () => {
    const { id } = await tasks.trigger("hangs", {});
    await hasMetadata(id, "started");
    await killAndRestart();
    await runs.cancel(id);
    const run = await finished(id);
    assert.equal(run.status, "CANCELED");
    assert.ok(run.metadata?.signalled);
  });

  it("delivers a cancel that it had no time to deliver", async () => {
    const { id } = await tasks.trigger("hangs", {});
    await hasMetadata(id, "started");
    // Both at once: the cancel may or may not have been stored, and then may be sent again.
    await Promise.allSettled([
      runs.cancel(id, { retry: { maxAttempts: 1 } }),
      service.kill("SIGKILL"),
    ]);
    await start(plane.port);
    await runs.cancel(id);
    const run = await finished(id);
    assert.equal(run.status, "CANCELED");
    assert.ok(run.metadata?.signalled);
  });

  it("makes one run of a trigger that the SDK had to send again", async () => {
    const tag = `again-${Date.now()}`;
    let triggered: Promise<{ id: string }> | undefined;
    await killAndRestart(async () => {
      triggered = tasks.trigger("hello", { name: "again" }, { tags: tag });
    });
    const { id } = (await triggered) ?? { id: "" };
    assert.equal((await finished(id)).status, "COMPLETED");
    const found = await runs.list({ tag });
    assert.deepEqual(
      found.data.map((run) => run.id),
      [id],
    );
  });
});
