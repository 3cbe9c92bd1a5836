// What happens after a failed attempt, decided by the official policy functions of
// `@trigger.dev/core/v3` in the order in which the official engine asks them.
// Pure but for the jitter inside `calculateNextRetryDelay`; never invents a retry of its own.

import {
  calculateNextRetryDelay,
  isOOMRunError,
  RetryOptions,
  sanitizeError,
  shouldLookupRetrySettings,
  shouldRetryError,
  type TaskRunError,
  taskRunErrorEnhancer,
} from "@trigger.dev/core/v3";
import {
  type ExecutionStatus,
  MAX_ATTEMPTS,
  type Outcome,
  type RunStatus,
  type Timeouts,
} from "./state.ts";

/** A retry that is due sooner is slept through by the CLI; a later one goes back to the queue. */
export const IMMEDIATE_RETRY_BELOW_MS = 30_000;

/**
 * A queued retry is not due sooner than this: a CLI that is still putting the failed attempt away
 * ignores a run that it believes to have in hand, and the run would wait for the stall timeout.
 */
const SETTLE_MS = 250;

export interface FailedAttempt {
  error: TaskRunError;
  /** The number of the attempt that failed; the first is 1. */
  attempt: number;
  /** What the worker itself decided from the task's `retry`; absent when the process died. */
  retry: { timestamp: number; delay: number } | undefined;
  maxAttempts: number | undefined;
  /** The task's `retry`, locked to the run when it was first dequeued. */
  retryConfig: unknown;
  machine: string | undefined;
  forceRequeue: boolean;
  now: number;
}

export function outcomeOf(failed: FailedAttempt): Outcome {
  const { error, attempt, now } = failed;
  if (error.type === "INTERNAL_ERROR" && error.code === "TASK_RUN_CANCELLED") {
    return { kind: "cancel" };
  }
  const sanitized = sanitizeError(error);
  const giveUp: Outcome = { kind: "fail", status: statusOfError(error), error: sanitized };
  const queued = (delay: number): number => now + Math.max(delay, SETTLE_MS);
  const parsed = RetryOptions.nullish().safeParse(failed.retryConfig);
  const config = parsed.success ? (parsed.data ?? undefined) : undefined;

  if (isOOMRunError(error)) {
    const machine = config?.outOfMemory?.machine;
    if (config === undefined || machine === undefined || failed.machine === undefined)
      return giveUp;
    if (machine === failed.machine) return giveUp;
    const delay = calculateNextRetryDelay(config, attempt);
    if (!delay) return giveUp;
    return { kind: "retry", method: "queue", at: queued(delay), error: sanitized, machine };
  }

  const enhanced = enhance(error);
  if (!shouldRetryError(enhanced) || attempt > MAX_ATTEMPTS) return giveUp;
  if (!failed.maxAttempts || attempt >= failed.maxAttempts) return giveUp;

  if (failed.retry !== undefined) {
    const { delay, timestamp } = failed.retry;
    if (failed.forceRequeue || delay >= IMMEDIATE_RETRY_BELOW_MS) {
      const at = Math.max(timestamp, queued(0));
      return { kind: "retry", method: "queue", at, error: sanitized };
    }
    return { kind: "retry", method: "immediate", at: timestamp, error: sanitized };
  }
  if (!shouldLookupRetrySettings(enhanced) || config === undefined) return giveUp;
  const delay = calculateNextRetryDelay(config, attempt);
  if (!delay) return giveUp;
  return { kind: "retry", method: "queue", at: queued(delay), error: sanitized };
}

/** A development run whose worker fell silent is not retried: mostly the CLI was closed. */
export function stalledOutcome(execution: ExecutionStatus, timeouts: Timeouts): Outcome {
  const waiting = execution === "EXECUTING_WITH_WAITPOINTS";
  const seconds = Math.round((waiting ? timeouts.waiting : timeouts.executing) / 1000);
  const error: TaskRunError = {
    type: "INTERNAL_ERROR",
    code: waiting ? "TASK_RUN_STALLED_EXECUTING_WITH_WAITPOINTS" : "TASK_RUN_STALLED_EXECUTING",
    message:
      `Run timed out after ${seconds}s due to missing heartbeats (sent every 30s). ` +
      "Check if your `trigger.dev dev` CLI is still running, or if CPU-heavy work is blocking the main thread.",
  };
  return { kind: "fail", status: statusOfError(error), error };
}

/** The enhancer adds a documentation link to some errors; the policy functions take the error alone. */
function enhance(error: TaskRunError): TaskRunError {
  return taskRunErrorEnhancer(error);
}

/** The final status that the official engine gives a run of a development environment. */
export function statusOfError(error: TaskRunError): RunStatus {
  if (error.type !== "INTERNAL_ERROR") return "COMPLETED_WITH_ERRORS";
  switch (error.code) {
    case "RECURSIVE_WAIT_DEADLOCK":
    case "TASK_INPUT_ERROR":
    case "TASK_OUTPUT_ERROR":
    case "TASK_MIDDLEWARE_ERROR":
    case "TASK_RUN_UNCAUGHT_EXCEPTION":
      return "COMPLETED_WITH_ERRORS";
    case "TASK_RUN_CANCELLED":
    case "TASK_RUN_STALLED_EXECUTING":
    case "TASK_RUN_STALLED_EXECUTING_WITH_WAITPOINTS":
      return "CANCELED";
    case "MAX_DURATION_EXCEEDED":
      return "TIMED_OUT";
    case "TASK_PROCESS_OOM_KILLED":
    case "TASK_PROCESS_MAYBE_OOM_KILLED":
    case "TASK_PROCESS_SIGSEGV":
    case "DISK_SPACE_EXCEEDED":
    case "OUTDATED_SDK_VERSION":
    case "HANDLE_ERROR_ERROR":
    case "TASK_RUN_CRASHED":
    case "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE":
      return "CRASHED";
    default:
      return "SYSTEM_FAILURE";
  }
}
