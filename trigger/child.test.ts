// The child of a waiting run, against a runner that the test plays: it is told to stop when its parent
// is, once, and at no other time.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { childEnded, childStopped, stopChildWithRun } from "./child.ts";

const wait = { type: "task", runId: "run_child" };

let asked: string[] = [];
let status = 200;
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`);
  response.writeHead(status, { "content-type": "application/json", "x-should-retry": "false" });
  response.end(JSON.stringify(status === 200 ? { id: "run_child" } : { error: "no" }));
});

before(async () => {
  await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
  process.env.TRIGGER_API_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  process.env.TRIGGER_SECRET_KEY = "tr_dev_test";
});
after(() => server.close());
beforeEach(() => {
  asked = [];
  status = 200;
});

describe("the child of a run", () => {
  const CANCEL = ["POST /api/v2/runs/run_child/cancel"];

  it("is stopped when its parent is stopped while it waits", async () => {
    const run = new AbortController();
    stopChildWithRun({ wait, signal: run.signal });
    assert.deepEqual(asked, []);
    run.abort();
    await childStopped(run.signal);
    assert.deepEqual(asked, CANCEL);
  });

  it("is stopped when its parent was stopped before the wait began", async () => {
    const signal = AbortSignal.abort();
    stopChildWithRun({ wait, signal });
    await childStopped(signal);
    assert.deepEqual(asked, CANCEL);
  });

  it("that has ended is left alone", async () => {
    const run = new AbortController();
    stopChildWithRun({ wait, signal: run.signal });
    childEnded({ signal: run.signal });
    run.abort();
    await childStopped(run.signal);
    assert.deepEqual(asked, []);
  });

  it("of another run is left alone", async () => {
    const [one, other] = [new AbortController(), new AbortController()];
    stopChildWithRun({ wait, signal: one.signal });
    stopChildWithRun({ wait: { ...wait, runId: "run_other" }, signal: other.signal });
    one.abort();
    await childStopped(one.signal);
    assert.deepEqual(asked, CANCEL);
  });

  it("that the runner does not stop is no error of its parent", async () => {
    status = 404;
    const signal = AbortSignal.abort();
    stopChildWithRun({ wait, signal });
    await childStopped(signal);
    assert.deepEqual(asked, CANCEL);
  });

  it("is not looked for in a wait for time", async () => {
    const signal = AbortSignal.abort();
    stopChildWithRun({ wait: { type: "duration" }, signal });
    await childStopped(signal);
    assert.deepEqual(asked, []);
  });
});
