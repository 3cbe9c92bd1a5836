// Who gets in and what is refused: keys, foreign hosts and pages, bodies that do not parse, and what is
// not supported yet. The page at `/` is part of this: a browser holds no key.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { RetrieveRunResponse } from "@trigger.dev/core/v3";
import { WebSocket } from "ws";
import { z } from "zod";
import { scratchFolder } from "./fixtures/harness.ts";
import { PlayedWorker } from "./fixtures/played-worker.ts";
import { type ControlPlane, startControlPlane } from "./index.ts";

const folder = scratchFolder();
let plane: ControlPlane;
let worker: PlayedWorker;

before(async () => {
  plane = await startControlPlane({ state: folder.path, projectRef: "proj_access" });
  worker = new PlayedWorker(plane);
});

after(async () => {
  await plane?.close();
  folder.remove();
});

describe("what is refused", () => {
  it("is a body that does not parse: 400, not to be sent again", async () => {
    for (const [path, body] of [
      ["/api/v1/tasks/played/trigger", { options: { tags: [1] } }],
      ["/api/v1/tasks/played/trigger", "{"],
      ["/api/v1/projects/proj_access/background-workers", { localOnly: "yes" }],
      ["/engine/v1/dev/dequeue", { currentWorker: 1 }],
      ["/engine/v1/dev/disconnect", {}],
    ] as const) {
      const answer = await worker.call(`POST ${path}`, { body });
      assert.equal(answer.status, 400, path);
      assert.equal(answer.retry, "false");
      assert.equal(typeof (answer.body as { error: unknown }).error, "string");
    }
  });

  it("is every call without its key", async () => {
    const calls: [string, string | null][] = [
      ["GET /api/v2/whoami", plane.secretKey],
      ["GET /api/v1/projects/proj_access/dev", null],
      ["GET /api/v1/runs", plane.accessToken],
      ["POST /api/v1/tasks/played/trigger", "tr_dev_wrong"],
      ["POST /engine/v1/dev/dequeue", null],
      ["PUT /api/v2/packets/x", null],
      ["GET /api/v1/packets/x", "tr_dev_wrong"],
      ["POST /api/v3/batches", null],
      ["POST /api/v3/batches/batch_x/items", plane.accessToken],
      ["POST /engine/v1/runs/run_x/wait/duration", null],
      ["POST /api/v1/runs/run_x/replay", null],
      ["GET /admin/log", plane.secretKey],
      ["GET /page/tasks", plane.secretKey],
      ["GET /page/runs", plane.secretKey],
    ];
    for (const [request, key] of calls) {
      const answer = await worker.call(request, {
        key,
        ...(request.startsWith("POST") ? { body: {} } : {}),
      });
      assert.equal(answer.status, 401, request);
      assert.equal(answer.retry, "false");
    }
  });

  it("is an unknown project, run, path or method", async () => {
    assert.equal(
      (await worker.call("GET /api/v1/projects/proj_x/dev", { key: plane.accessToken })).status,
      404,
    );
    assert.equal((await worker.call("GET /api/v3/runs/run_x")).status, 404);
    assert.equal((await worker.call("GET /api/v9/nothing")).status, 404);
    assert.equal((await worker.call("DELETE /api/v1/runs")).status, 405);
    assert.equal((await worker.call("GET /api/v1/runs?filter[status]=NONSENSE")).status, 400);
  });

  it("is what is not supported, in words, instead of waiting for ever", async () => {
    const body = { payload: "1", options: { debounce: { key: "k", delay: "1s" } } };
    const answer = await worker.call("POST /api/v1/tasks/played/trigger", { body });
    assert.equal(answer.status, 422);
    assert.match(JSON.stringify(answer.body), /debounce/);
  });

  it("is a host name that only points here, and a page of another origin", async () => {
    const { port } = plane;
    const raw = await import("node:http").then(
      (http) =>
        new Promise<number>((settle) => {
          const headers = { host: "evil.example" };
          http.get({ host: "127.0.0.1", port, path: "/", headers }, (response) => {
            response.resume();
            settle(response.statusCode ?? 0);
          });
        }),
    );
    assert.equal(raw, 403);
    const run = await worker.trigger({ delay: "1h" });
    const foreign = await worker.page(`POST /page/runs/${run}/cancel`, {
      origin: "http://evil.example",
    });
    assert.equal(foreign.status, 401);
    assert.equal((await worker.call(`POST /page/runs/${run}/cancel`, { key: null })).status, 401);
    assert.equal(
      (await worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${run}`)).status,
      "DELAYED",
    );
    assert.equal(
      (await worker.page(`POST /page/runs/${run}/cancel`, { origin: plane.url })).status,
      200,
    );
    assert.equal(
      (await worker.ok(RetrieveRunResponse, `GET /api/v3/runs/${run}`)).status,
      "CANCELED",
    );
  });

  it("is a socket without the key", async () => {
    const url = `${plane.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`;
    const status = await new Promise((settle) => {
      const socket = new WebSocket(url);
      socket.on("unexpected-response", (_request, response) => settle(response.statusCode));
      socket.on("open", () => settle("open"));
    });
    assert.equal(status, 401);
  });
});

describe("the page", () => {
  it("may not be framed, runs only its own script, and is told of changes", async () => {
    const response = await fetch(plane.url);
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors 'none'/);
    const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1] ?? "none";
    const html = await response.text();
    assert.ok(html.includes(`<script nonce="${nonce}">`));
    assert.ok(!html.includes("{{"));
    const { seq } = z
      .object({ seq: z.number() })
      .parse((await worker.page("GET /page/changes?since=0")).body);
    const change = worker.page(`GET /page/changes?since=${seq}`);
    await worker.trigger({ delay: "1h" });
    assert.ok(z.object({ seq: z.number() }).parse((await change).body).seq > seq);
    const { runs } = z
      .object({ runs: z.array(z.object({ task: z.string() })) })
      .parse((await worker.page("GET /page/runs")).body);
    assert.equal(runs[0]?.task, "played");
  });
});

describe("the keys", () => {
  it("are readable by their owner alone and different in every installation", async () => {
    const file = join(folder.path, "control-plane-keys.json");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const other = scratchFolder();
    const second = await startControlPlane({ state: other.path });
    try {
      assert.notEqual(second.secretKey, plane.secretKey);
      assert.match(second.secretKey, /^tr_dev_/);
      assert.match(second.accessToken, /^tr_pat_/);
      assert.match(second.projectRef, /^proj_/);
    } finally {
      await second.close();
      other.remove();
    }
  });
});
