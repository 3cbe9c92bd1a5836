// The hand-over, against a model that the test plays: what reaches the addon, what stops a run, and
// which error the runner gets. Spans and metadata need the runtime; the tests with the CLI see those.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { AbortTaskRunError } from "@trigger.dev/sdk";
import { diagnostics, PolarisError } from "polaris-agent";
import {
  type Exchange,
  type ModelServer,
  startModelServer,
  useModel,
} from "../__test__/addon/model-server.ts";
import { type HandOver, handOver, untilEnded } from "./run.ts";

let server: ModelServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function model(answer: (exchange: Exchange) => void): Promise<ModelServer> {
  server = await startModelServer(answer);
  useModel(server.url);
  return server;
}

const ctx = {
  run: { id: "run_1" },
  attempt: { number: 1 },
} as unknown as HandOver<"agent">["ctx"];

function request(change: Partial<HandOver<"agent">> = {}): HandOver<"agent"> {
  return {
    job: "agent",
    payload: { messages: [{ role: "user", content: "hello" }] },
    maxAttempts: 3,
    ctx,
    signal: new AbortController().signal,
    ...change,
  };
}

/** Counts what listens to a signal. */
function listened(controller: AbortController): { signal: AbortSignal; listeners: () => number } {
  let count = 0;
  const { signal } = controller;
  const [add, remove] = [
    signal.addEventListener.bind(signal),
    signal.removeEventListener.bind(signal),
  ];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--;
    remove(...args);
  };
  return { signal, listeners: () => count };
}

describe("a task", () => {
  it("gets the result of its run and lets go of the signal", async () => {
    await model((exchange) => exchange.text("answer").finish());
    const { signal, listeners } = listened(new AbortController());
    const result = await handOver(request({ signal }));
    assert.deepEqual([result.status, result.text], ["completed", "answer"]);
    assert.equal(listeners(), 0);
  });

  it("that is cancelled stops its run: the socket closes and the runner is told not to retry", async () => {
    const controller = new AbortController();
    const { exchanges } = await model((exchange) => {
      exchange.text("partial");
      controller.abort("run cancelled");
    });
    const { signal, listeners } = listened(controller);
    const runPromise = handOver(request({ signal }));
    await untilEnded({ runPromise });
    await assert.rejects(runPromise, (error) => isAbort(error, "CANCELLED"));
    await exchanges[0]?.hungUp;
    assert.equal(listeners(), 0);
    assert.equal(diagnostics().runs, 0);
  });

  it("that was cancelled before it began does not ask the model", async () => {
    const { exchanges } = await model((exchange) => exchange.text("never").finish());
    const signal = AbortSignal.abort("run cancelled");
    await assert.rejects(handOver(request({ signal })), (error) => isAbort(error, "CANCELLED"));
    assert.equal(exchanges.length, 0);
  });

  it("that passed its time limit fails by that name", async () => {
    const reason = Object.assign(new Error("too long"), { name: "TaskRunExceededMaxDuration" });
    await model((exchange) => exchange.text("partial"));
    const signal = AbortSignal.abort(reason);
    await assert.rejects(handOver(request({ signal })), (error) => isAbort(error, "RUN_TIMEOUT"));
  });

  it("is retried by the runner where a retry can help, and only there", async () => {
    await model((exchange) => exchange.refuse(401, "no such key"));
    await assert.rejects(handOver(request()), (error) => isAbort(error, "MODEL_AUTH"));
    server?.close();
    await model((exchange) => exchange.refuse(503, "overloaded"));
    const options = { limits: { modelRetries: 0 } };
    await assert.rejects(handOver(request({ options })), (error) => {
      assert.ok(error instanceof Error && !(error instanceof AbortTaskRunError));
      assert.match(error.message, /^MODEL_UNAVAILABLE: /);
      assert.ok(error.cause instanceof PolarisError && error.cause.retryable);
      return true;
    });
  });

  it("with options or a payload that cannot be used is not retried", async () => {
    const options = { limits: { maxSteps: -1 } };
    await assert.rejects(handOver(request({ options })), (error) =>
      isAbort(error, "CONFIG_INVALID"),
    );
    const payload = { messages: [] };
    await assert.rejects(handOver(request({ payload })), (error) =>
      isAbort(error, "PAYLOAD_INVALID"),
    );
  });
});

function isAbort(error: unknown, code: string): boolean {
  assert.ok(error instanceof AbortTaskRunError, String(error));
  assert.ok(error.message.startsWith(`${code}: `), error.message);
  assert.ok(error.cause instanceof PolarisError);
  return true;
}
