// Large payloads and outputs on the wire, the page's forms, and a state file of the version before.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CreateUploadPayloadUrlResponseBody, RetrieveRunResponse } from "@trigger.dev/core/v3";
import Libsql from "libsql";
import { scratchFolder } from "./fixtures/harness.ts";
import { PlayedWorker } from "./fixtures/played-worker.ts";
import { type ControlPlane, startControlPlane } from "./index.ts";

const folder = scratchFolder();
let plane: ControlPlane;
let worker: PlayedWorker;

before(async () => {
  plane = await startControlPlane({ state: folder.path, projectRef: "proj_packets" });
  worker = new PlayedWorker(plane);
});

after(async () => {
  await plane?.close();
  folder.remove();
});

const upload = (name: string) =>
  worker.ok(CreateUploadPayloadUrlResponseBody, `PUT /api/v2/packets/${encodeURIComponent(name)}`);
const download = (name: string) =>
  worker.ok(CreateUploadPayloadUrlResponseBody, `GET /api/v1/packets/${encodeURIComponent(name)}`);
const put = (url: string, body: string, type = "application/super+json") =>
  fetch(url, { method: "PUT", body, headers: { "content-type": type } });

describe("a large packet", () => {
  const name = "packets/trigger-1/payload.json";

  it("comes back as it was put, with its type, by URLs of this host", async () => {
    const { presignedUrl, storagePath } = await upload(name);
    assert.equal(storagePath, name);
    assert.equal(new URL(presignedUrl).origin, plane.url);
    const text = JSON.stringify({ json: "ä€😀".repeat(100_000) });
    assert.equal((await put(presignedUrl, text)).status, 200);
    const response = await fetch((await download(name)).presignedUrl);
    assert.equal(response.headers.get("content-type"), "application/super+json");
    assert.match(response.headers.get("content-security-policy") ?? "", /sandbox/);
    assert.equal(await response.text(), text);
  });

  it("is a run's payload, which is read by its URL and replayed", async () => {
    const body = { payload: name, options: { payloadType: "application/store" } };
    const answer = await worker.call("POST /api/v1/tasks/played/trigger", { body });
    const { id } = answer.body as { id: string };
    const run = await worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${id}`);
    assert.equal(run.payload, undefined);
    assert.equal((await fetch(run.payloadPresignedUrl ?? "")).status, 200);
    const field = (what: string) => worker.call(`GET /api/v1/runs/${id}/packets/${what}`);
    assert.equal((await field("payload")).status, 200);
    assert.equal((await field("output")).status, 404);
    const replay = await worker.page(`POST /page/runs/${id}/replay`);
    const again = await worker.ok(
      RetrieveRunResponse,
      `GET /api/v3/runs/${(replay.body as { id: string }).id}`,
    );
    assert.equal((await fetch(again.payloadPresignedUrl ?? "")).status, 200);
    const detail = await worker.page(`GET /page/runs/${id}`);
    assert.match(JSON.stringify(detail.body), /ä€😀.*characters\)/);
  });

  it("is not given to who has no URL for it, a changed one or an old one", async () => {
    const { presignedUrl } = await download(name);
    const changed = (change: (url: URL) => void, method = "GET") => {
      const url = new URL(presignedUrl);
      change(url);
      return fetch(url, { method }).then((response) => response.status);
    };
    assert.equal(await changed(() => undefined), 200);
    assert.equal(await changed(() => undefined, "PUT"), 403);
    assert.equal(await changed((url) => url.searchParams.delete("signature")), 403);
    assert.equal(await changed((url) => url.searchParams.set("expires", "99999999999999")), 403);
    assert.equal(
      await changed((url) => {
        url.pathname = url.pathname.replace("trigger-1", "trigger-2");
      }),
      403,
    );
    assert.equal((await worker.call(`GET /api/v1/packets/x`, { key: null })).status, 401);
    assert.equal((await worker.call("GET /api/v1/packets/never-put")).status, 404);
  });

  it("has a path that leads nowhere else", async () => {
    for (const path of [
      "../keys",
      "a/../b",
      "/etc/passwd",
      "a//b",
      "a\\b",
      "a\nb",
      "x".repeat(2_000),
    ]) {
      const answer = await worker.call(`PUT /api/v2/packets/${encodeURIComponent(path)}`);
      assert.equal(answer.status, 400, path);
    }
  });
});

describe("the page", () => {
  const test = (task: string, body: unknown, headers = {}) =>
    worker.page(`POST /page/tasks/${task}/test`, headers, body);

  it("runs a registered task with a payload that a person typed", async () => {
    await worker.workerId();
    const { tasks } = (await worker.page("GET /page/tasks")).body as { tasks: { id: string }[] };
    assert.ok(tasks.some((task) => task.id === "played"));
    const answer = await test("played", { payload: '{"typed":true}' });
    const { id } = answer.body as { id: string };
    const run = await worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${id}`);
    assert.deepEqual(run.payload, { typed: true });
    assert.equal(run.isTest, true);
    const empty = (await test("played", { payload: " " })).body as { id: string };
    assert.match(empty.id, /^run_/);
  });

  it("says what is wrong with a payload or a task, and takes nothing from another page", async () => {
    const wrong = await test("played", { payload: "{typed" });
    assert.equal(wrong.status, 400);
    assert.match(JSON.stringify(wrong.body), /not JSON/);
    assert.equal((await test("unknown", { payload: "{}" })).status, 404);
    const foreign = await test("played", { payload: "{}" }, { origin: "http://evil.example" });
    assert.equal(foreign.status, 401);
    const body = { payload: "{}" };
    const bare = await worker.call("POST /page/tasks/played/test", { key: null, body });
    assert.equal(bare.status, 401);
  });
});

describe("a state file of the version before", () => {
  it("is taken over with its runs and their queues", async () => {
    const older = scratchFolder();
    try {
      const first = await startControlPlane({ state: older.path });
      const id = await new PlayedWorker(first).trigger({ queue: { name: "kept" }, delay: "1h" });
      await first.close();
      const db = new Libsql(join(older.path, "control-plane.db"));
      for (const table of ["blocks", "completions", "batches", "batch_items", "packets"]) {
        db.exec(`drop table ${table}`);
      }
      db.exec("alter table runs drop column queue");
      db.exec("alter table runs drop column concurrency_key");
      db.exec("update runs set state = json_remove(state, '$.held', '$.keepsSlot')");
      db.exec("pragma user_version = 1");
      db.close();
      const second = await startControlPlane({ state: older.path });
      const played = new PlayedWorker(second);
      const run = await played.ok(RetrieveRunResponse, `GET /api/v3/runs/${id}`);
      assert.equal(run.status, "DELAYED");
      const detail = (await played.page(`GET /page/runs/${id}`)).body as { queue: string };
      assert.equal(detail.queue, "kept");
      await played.call(`POST /api/v2/runs/${id}/cancel`);
      await second.close();
    } finally {
      older.remove();
    }
  });
});
