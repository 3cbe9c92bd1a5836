// The one hand-over from a task to the addon. It passes the runner's id, attempt and signal down, and
// events, spans and errors up. It decides nothing about the work, and never waits for the runner while
// the addon streams: what is shown of a run is best effort.

import { AbortTaskRunError, logger, metadata, type TaskRunContext } from "@trigger.dev/sdk";
import {
  type Event,
  type JobName,
  type JobPayloads,
  PolarisError,
  type Run,
  type RunOptions,
  type RunResult,
  type StopReason,
  startRun,
  type Usage,
} from "polaris-agent";

export interface HandOver<J extends JobName> {
  job: J;
  payload: JobPayloads[J];
  /** How the run behaves; attempt and run id are filled in here. */
  options?: Omit<RunOptions, "attempt" | "runId">;
  /** As in the task's `retry`; a number given when the task was triggered wins. */
  maxAttempts: number;
  ctx: Pick<TaskRunContext, "run" | "attempt">;
  signal: AbortSignal;
  /** Whether the runner's page shows how far the job is. Default: true. */
  progress?: boolean;
}

/** Runs a job to its end. */
export async function handOver<J extends JobName>(request: HandOver<J>): Promise<RunResult> {
  const { job, payload, options, maxAttempts, ctx, signal, progress = true } = request;
  try {
    const run = startRun({
      job,
      payload,
      options: {
        ...options,
        runId: ctx.run.id,
        attempt: { number: ctx.attempt.number, max: ctx.run.maxAttempts ?? maxAttempts },
      },
      // Told after the start, a run that was cancelled before it began could ask the model first.
      cancelled: signal.aborted ? reasonOf(signal) : undefined,
    });
    return await follow(run, signal, progress);
  } catch (error) {
    throw forRunner(error);
  }
}

/** For a task's `onCancel`: gives the run the time to record how it ended. */
export async function untilEnded({ runPromise }: { runPromise: Promise<unknown> }): Promise<void> {
  await runPromise.catch(() => undefined);
}

function reasonOf({ reason }: AbortSignal): StopReason {
  return isTimeout(reason) ? "timeout" : "cancelled";
}

async function follow(run: Run, signal: AbortSignal, shown: boolean): Promise<RunResult> {
  const stop = () => run.cancel(reasonOf(signal));
  signal.addEventListener("abort", stop, { once: true });
  const progress = new Progress(shown);
  try {
    for (let batch = await run.nextBatch(); batch !== null; batch = await run.nextBatch()) {
      progress.show(batch);
    }
    return await run.result();
  } catch (error) {
    progress.failed(error);
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    // If anything above failed, nobody follows the run any more. After its end this does nothing.
    run.cancel();
  }
}

/** Whether a signal's reason is the task's time limit; otherwise it is a cancel. */
export function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TaskRunExceededMaxDuration";
}

/** What the runner's page shows of a run: spans in its trace, and a few fields of metadata. */
class Progress {
  readonly #hasMetadata: boolean;
  #shown = "";
  #status = "starting";
  #steps = 0;
  #toolCalls = 0;
  readonly #usage: Usage = { input: 0, output: 0, cached: 0, cacheWrite: 0, reasoning: 0, cost: 0 };

  constructor(hasMetadata: boolean) {
    this.#hasMetadata = hasMetadata;
  }

  show(batch: readonly Event[]): void {
    try {
      for (const event of batch) this.#take(event);
      this.#publish();
    } catch (error) {
      logger.warn("progress could not be shown", { error: String(error) });
    }
  }

  failed(error: unknown): void {
    this.#status = error instanceof PolarisError ? error.code : "failed";
    this.show([]);
  }

  #take(event: Event): void {
    switch (event.type) {
      case "turn-start":
        this.#steps = event.step;
        this.#status = "thinking";
        break;
      case "first-text":
        this.#status = "writing";
        break;
      case "tool-call":
        this.#toolCalls += 1;
        this.#status = event.name;
        break;
      case "turn-end":
        for (const key of Object.keys(this.#usage) as (keyof Usage)[]) {
          this.#usage[key] += event.usage?.[key] ?? 0;
        }
        break;
      case "retry":
        this.#status = `retrying after ${event.code}`;
        break;
      case "status":
        this.#status = event.status;
        break;
      case "span":
        traceSpan(event);
        break;
    }
  }

  /** The SDK sends these at most once a second; a batch without news sends nothing. */
  #publish(): void {
    if (!this.#hasMetadata) return;
    const now = {
      status: this.#status,
      steps: this.#steps,
      toolCalls: this.#toolCalls,
      usage: { ...this.#usage },
    };
    const text = JSON.stringify(now);
    if (text === this.#shown) return;
    this.#shown = text;
    for (const [key, value] of Object.entries(now)) metadata.set(key, value);
  }
}

/** OpenTelemetry's SpanKind.CLIENT, and its SpanStatusCode.ERROR. */
const CLIENT = 2;
const SPAN_ERROR = 2;

/** Repeats a span of the core under the active one, so that it carries the run's attributes. */
function traceSpan({ name, start, end, attributes, error }: Event & { type: "span" }): void {
  // A model is asked over the network, a tool runs here.
  const kind = attributes["gen_ai.operation.name"] === "chat" ? { kind: CLIENT } : {};
  const span = logger.startSpan(name, { startTime: start, attributes, ...kind });
  if (error !== null) span.setStatus({ code: SPAN_ERROR, message: error });
  span.end(end);
}

/**
 * The error that the runner sees: `CODE: message`, not retried where a retry cannot help, with the
 * original as its cause for the error report.
 */
export function forRunner(error: unknown): unknown {
  if (!(error instanceof PolarisError)) return error;
  const message = `${error.code}: ${error.message}`;
  if (error.retryable) return Object.assign(new Error(message), { name: error.name, cause: error });
  return Object.assign(new AbortTaskRunError(message), { cause: error });
}
