// What one failed run leaves in Sentry: one event, with names and numbers, without secrets. The
// transport is replaced; everything before it is the real SDK.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type * as Sentry from "@sentry/node";
import { PolarisError, startRun } from "polaris-agent";
import { flush, report, startReports, withoutSecrets } from "./report.ts";

const SECRET = "sk-canary-1234567890";
let events: Sentry.ErrorEvent[] = [];

startReports("http://key@127.0.0.1:9/1", "test", {
  beforeSend(event) {
    events.push(event);
    return null;
  },
});

beforeEach(() => {
  events = [];
});

async function failed(payload: unknown): Promise<PolarisError> {
  const request = { job: "agent", payload } as Parameters<typeof startRun>[0];
  try {
    await startRun(request).result();
  } catch (error) {
    assert.ok(error instanceof PolarisError);
    return error;
  }
  assert.fail("it did not fail");
}

async function reported(error: unknown): Promise<Sentry.ErrorEvent[]> {
  report({ taskId: "process-message", runId: "run_1", attempt: 3, error });
  await flush();
  return events;
}

describe("a failed run", () => {
  it("is one event with task, run, code and the core's breadcrumbs", async () => {
    const cause = await failed({ messages: [] });
    const error = Object.assign(new Error("PAYLOAD_INVALID: wrapped"), { cause });
    const [event, ...more] = await reported(error);
    assert.ok(event !== undefined);
    assert.equal(more.length, 0);
    assert.deepEqual(event.tags, {
      taskId: "process-message",
      runId: "run_1",
      code: "PAYLOAD_INVALID",
    });
    assert.equal(event.extra?.attempt, 3);
    assert.equal(event.exception?.values?.at(-1)?.type, "PayloadError");
    assert.equal(event.breadcrumbs?.at(-1)?.message, "PAYLOAD_INVALID");
  });

  it("keeps its breadcrumbs to itself", async () => {
    const cause = await failed({ messages: [] });
    await reported(cause);
    await reported(new Error("another run, without any"));
    assert.equal(events.length, 2);
    assert.equal(events[1]?.breadcrumbs?.length ?? 0, 0);
    assert.equal(events[1]?.tags?.code, undefined);
  });

  it("that was cancelled is no event", async () => {
    process.env.POLARIS_PRIMARY_BASE_URL = "http://127.0.0.1:9/v1";
    process.env.POLARIS_PRIMARY_MODEL = "never-asked";
    const cancelled = startRun({
      job: "agent",
      payload: { messages: [{ role: "user", content: "x" }] },
    });
    cancelled.cancel();
    const error = await cancelled.result().catch((reason: unknown) => reason);
    assert.ok(error instanceof PolarisError && error.code === "CANCELLED");
    assert.deepEqual(await reported(error), []);
  });

  it("shows no value of a secret variable, in no cause either", async () => {
    process.env.SOME_API_KEY = SECRET;
    const error = new Error(`refused ${SECRET}`, { cause: new Error(`header ${SECRET}`) });
    const [event] = await reported(error);
    assert.ok(event !== undefined);
    assert.ok(!JSON.stringify(event.exception).includes(SECRET));
    assert.equal(event.exception?.values?.length, 2);
    assert.equal(withoutSecrets(`a ${SECRET} b`), "a [SOME_API_KEY] b");
    delete process.env.SOME_API_KEY;
  });
});
