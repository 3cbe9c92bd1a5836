// The retry policy, as the official functions decide it, at the border where we call them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TaskRunError } from "@trigger.dev/core/v3";
import { type FailedAttempt, outcomeOf, stalledOutcome, statusOfError } from "./policy.ts";

const NOW = 1_000_000;
const thrown: TaskRunError = {
  type: "BUILT_IN_ERROR",
  name: "Error",
  message: "no",
  stackTrace: "Error: no",
};
const internal = (code: string, message?: string): TaskRunError =>
  ({ type: "INTERNAL_ERROR", code, ...(message ? { message } : {}) }) as TaskRunError;
const exit = (text: string) => internal("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", text);
const SIGKILLED = exit("Process exited with code -1 after signal SIGKILL.");
const EXITED = exit("Process exited with code 3.");

function outcome(change: Partial<FailedAttempt>) {
  return outcomeOf({
    error: thrown,
    attempt: 1,
    retry: undefined,
    maxAttempts: 3,
    retryConfig: { maxAttempts: 3, minTimeoutInMs: 400, factor: 1, randomize: false },
    machine: "small-1x",
    forceRequeue: false,
    now: NOW,
    ...change,
  });
}

describe("what follows a failed attempt", () => {
  const soon = { timestamp: NOW + 500, delay: 500 };

  it("an error that the worker wants to retry soon is retried by the same CLI", () => {
    const result = outcome({ retry: soon });
    assert.equal(result.kind, "retry");
    assert.deepEqual(result.kind === "retry" && [result.method, result.at], [
      "immediate",
      NOW + 500,
    ]);
  });

  it("a retry in 30 s or more goes back to the queue", () => {
    const result = outcome({ retry: { timestamp: NOW + 30_000, delay: 30_000 } });
    assert.equal(result.kind === "retry" && result.method, "queue");
  });

  it("the last attempt fails", () => {
    const result = outcome({ retry: soon, attempt: 3 });
    assert.deepEqual(result.kind === "fail" && result.status, "COMPLETED_WITH_ERRORS");
  });

  it("a task without retries fails at once", () => {
    assert.equal(outcome({ retry: soon, maxAttempts: undefined }).kind, "fail");
  });

  it("an error that the worker does not want to retry fails", () => {
    assert.equal(outcome({}).kind, "fail");
  });

  it("a process that exited is retried from the queue by the task's own settings", () => {
    const result = outcome({ error: EXITED });
    assert.deepEqual(result.kind === "retry" && [result.method, result.at], ["queue", NOW + 400]);
    assert.equal(outcome({ error: EXITED, retryConfig: undefined }).kind, "fail");
    const last = outcome({ error: EXITED, attempt: 3 });
    assert.equal(last.kind === "fail" && last.status, "CRASHED");
  });

  it("a queued retry leaves the CLI the time to put the failed attempt away", () => {
    const retryConfig = { maxAttempts: 3, minTimeoutInMs: 1, factor: 1, randomize: false };
    const result = outcome({ error: EXITED, retryConfig });
    assert.equal(result.kind === "retry" && result.at, NOW + 250);
  });

  it("a process that was killed counts as out of memory: no retry", () => {
    const result = outcome({ error: SIGKILLED });
    assert.equal(result.kind === "fail" && result.status, "CRASHED");
  });

  it("out of memory is retried on the larger machine that the task names, once", () => {
    const retryConfig = {
      maxAttempts: 5,
      minTimeoutInMs: 100,
      outOfMemory: { machine: "small-2x" },
    };
    const first = outcome({ error: SIGKILLED, retryConfig });
    assert.deepEqual(first.kind === "retry" && [first.method, first.machine], [
      "queue",
      "small-2x",
    ]);
    const second = outcome({ error: SIGKILLED, retryConfig, attempt: 2, machine: "small-2x" });
    assert.equal(second.kind, "fail");
  });

  it("a cancelled process cancels the run", () => {
    assert.deepEqual(outcome({ error: internal("TASK_RUN_CANCELLED") }), { kind: "cancel" });
  });

  it("a run over its maximum duration is not retried", () => {
    const result = outcome({ error: internal("MAX_DURATION_EXCEEDED"), retry: soon });
    assert.equal(result.kind === "fail" && result.status, "TIMED_OUT");
  });

  it("a silent worker of a development run is not retried", () => {
    const timeouts = {
      pendingExecuting: 1_000,
      executing: 60_000,
      waiting: 600_000,
      pendingCancel: 1_000,
    };
    const working = stalledOutcome("EXECUTING", timeouts);
    assert.equal(working.kind === "fail" && working.status, "CANCELED");
    assert.match(JSON.stringify(working), /TASK_RUN_STALLED_EXECUTING".*after 60s/);
    const waiting = stalledOutcome("EXECUTING_WITH_WAITPOINTS", timeouts);
    assert.equal(waiting.kind === "fail" && waiting.status, "CANCELED");
    assert.match(JSON.stringify(waiting), /EXECUTING_WITH_WAITPOINTS".*after 600s/);
  });

  it("an uncaught exception is an error of the task, an aborted process one of the system", () => {
    assert.equal(statusOfError(internal("TASK_RUN_UNCAUGHT_EXCEPTION")), "COMPLETED_WITH_ERRORS");
    assert.equal(statusOfError(internal("TASK_EXECUTION_ABORTED")), "SYSTEM_FAILURE");
  });
});
