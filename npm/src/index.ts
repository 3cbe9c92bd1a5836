// The package's door: start a run, pull its events, stop it, learn how it ended. Everything else
// happens in the addon; this adds types, error classes and the place of the default prompt.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fromNative, type PolarisError, polarisError } from "./errors.ts";
import type {
  AgentPayload,
  CancelReason,
  DemoGeneratePayload,
  Event,
  GenerationEndPayload,
  GenerationState,
  GenerationStepPayload,
  GenerationValidatePayload,
  JobName,
  NextAction,
  PlanName,
  ProcessMessagePayload,
  RunOptions,
  RunResult,
} from "./generated.ts";
import { type Diagnostics, type NativeRun, native, packageRoot } from "./native.ts";
import { mailboxOf, promiseOf, type Settling } from "./promises.ts";
import { type OwnTool, ownTools, ToolHost } from "./tools.ts";
import { TYPESCRIPT_VARIABLE, typescriptServer } from "./typescript.ts";

export {
  type Breadcrumb,
  CancelledError,
  ConfigError,
  type ErrorFamily,
  InternalError,
  ModelError,
  PayloadError,
  PolarisError,
  type PolarisErrorCode,
  type PolarisErrorDetails,
  StoreError,
  TimeoutError,
  ToolError,
} from "./errors.ts";
export type * from "./generated.ts";
export { ERROR_CODES } from "./generated.ts";
export type { Diagnostics } from "./native.ts";
export {
  type AbortSignalLike,
  type ArgsOf,
  defineTool,
  FatalToolError,
  type JsonSchema,
  type JsonToolDefinition,
  type OwnTool,
  type SchemaToolDefinition,
  type StandardSchema,
  type ToolContext,
  type ToolSignal,
  type ValidationIssue,
  type ValidationResult,
} from "./tools.ts";

/** What each job is given. */
export interface JobPayloads {
  "process-message": ProcessMessagePayload;
  agent: AgentPayload;
  "generation-validate": GenerationValidatePayload;
  "generation-step": GenerationStepPayload;
  "generation-end": GenerationEndPayload;
  "demo-generate": DemoGeneratePayload;
}

export interface RunRequest<J extends JobName = JobName> {
  job: J;
  payload: JobPayloads[J];
  options?: RunOptions | undefined;
  /** Set if the run was asked to stop before it began: it records its end and asks no model. */
  cancelled?: StopReason | undefined;
}

/** Why a run is asked to stop. */
export type StopReason = Extract<CancelReason, "cancelled" | "timeout">;

/** A run under way. Dropping every reference to it cancels it. */
export interface Run {
  /** The next events, or null once there will be no more. Reading them is optional. */
  nextBatch(): Promise<Event[] | null>;
  /** All events from here on, one by one. */
  events(): AsyncGenerator<Event, void, void>;
  /** Asks the run to stop. The first reason counts; after the end it does nothing. */
  cancel(reason?: StopReason): void;
  /** How the run ended; rejects with a `PolarisError`. */
  result(): Promise<RunResult>;
}

/**
 * Starts a run and returns at once. Keys, URLs and models are read from the environment now.
 *
 * @throws {PolarisError} when the request itself cannot be used or the addon is missing.
 */
export function startRun<J extends JobName>(request: RunRequest<J>): Run {
  const addon = native();
  const tools = ownTools(request.options);
  const spec = specOf(request);
  try {
    const run = addon.startRun(mailboxOf(addon), spec, process.env, languageServer(request));
    return new RunHandle(run, tools);
  } catch (error) {
    throw fromNative(error);
  }
}

/**
 * What is next for a project generation that stands at `state`. Pure: asking again changes nothing,
 * so a host may ask it anew after every wait.
 */
export function nextGenerationAction(
  generationId: string,
  plan: PlanName,
  state: GenerationState,
): NextAction {
  const addon = native();
  try {
    return JSON.parse(
      addon.generationNext(generationId, plan, JSON.stringify(state)),
    ) as NextAction;
  } catch (error) {
    throw fromNative(error);
  }
}

/** Counts what is alive in this process; for tests, and for those who look for a leak. */
export function diagnostics(): Diagnostics {
  return native().diagnostics();
}

/** The language server, for a job that has tools that know code, unless a variable names one or none. */
function languageServer({ job, payload }: RunRequest): string | undefined {
  const looksAtCode =
    job === "process-message" ||
    (job === "agent" && (payload as Partial<AgentPayload> | undefined)?.files !== undefined);
  return looksAtCode && !process.env[TYPESCRIPT_VARIABLE]?.trim() ? typescriptServer() : undefined;
}

class RunHandle implements Run {
  readonly #native: NativeRun;
  readonly #tools: ToolHost | undefined;
  /** Calls of `nextBatch` that wait. */
  #open = 0;
  readonly #batches: Settling<Event[] | null> = {
    owner: this,
    read: (batch) => {
      this.#open--;
      return readEvents(batch);
    },
    fail: (error) => {
      this.#open--;
      return fromNative(error);
    },
  };

  constructor(run: NativeRun, tools: ReadonlyMap<string, OwnTool>) {
    this.#native = run;
    if (tools.size > 0) {
      this.#tools = new ToolHost(run, tools);
      // What the addon cannot do any more ends the run, and its result says so.
      this.#tools.serve().catch(() => undefined);
    }
  }

  // An open call keeps `this` reachable, and with it the native handle: its collection cancels.

  nextBatch(): Promise<Event[] | null> {
    // Who asks behind another waits for it.
    const alone = this.#open === 0;
    this.#open++;
    return promiseOf(this.#batches, (number) => this.#native.nextBatch(number, alone));
  }

  async *events(): AsyncGenerator<Event, void, void> {
    for (let batch = await this.nextBatch(); batch !== null; batch = await this.nextBatch()) {
      yield* batch;
    }
  }

  cancel(reason: StopReason = "cancelled"): void {
    try {
      this.#native.cancel(reason);
    } catch (error) {
      throw fromNative(error);
    }
  }

  async result(): Promise<RunResult> {
    try {
      const settling = { owner: this, read: readResult, fail: (error: unknown) => error };
      return await promiseOf(settling, (number) => this.#native.result(number));
    } catch (error) {
      throw withCause(fromNative(error), this.#tools?.fatal);
    }
  }
}

function readEvents(batch: string | null): Event[] | null {
  return batch === null ? null : (JSON.parse(batch) as Event[]);
}

function readResult(result: string | null): RunResult {
  return JSON.parse(String(result)) as RunResult;
}

/** The error of a run that a tool of one's own ended, with what the tool threw. */
function withCause(error: PolarisError, fatal: unknown): PolarisError {
  if (fatal !== undefined && (error.code === "TOOL_FATAL" || error.code === "TOOL_UNAVAILABLE")) {
    Object.defineProperty(error, "cause", { value: fatal, writable: true, configurable: true });
  }
  return error;
}

function specOf<J extends JobName>({ job, payload, options, cancelled }: RunRequest<J>): string {
  try {
    return JSON.stringify({
      job,
      payload: payload ?? null,
      options: withPrompt(job, payload, options),
      cancelled,
    });
  } catch (error) {
    throw polarisError("PAYLOAD_INVALID", `the payload of ${job} cannot be written as JSON`, {
      cause: error,
    });
  }
}

/**
 * A job's prompts are a file of this package, read at the start of each run: who edits it sees the
 * change in the next run. Without the file the core uses the copy that it was built with.
 */
function withPrompt(job: JobName, payload: unknown, options: RunOptions = {}): RunOptions {
  const { kind, name } = promptOf(job, payload);
  if (kind === undefined || options.prompts?.[kind] !== undefined) return options;
  const file = join(packageRoot, "prompts", `${name}.md`);
  if (!existsSync(file)) return options;
  return { ...options, prompts: { ...options.prompts, [kind]: { file } } };
}

function promptOf(job: JobName, payload: unknown): { kind?: "system" | "plan"; name?: string } {
  if (job === "process-message") return { kind: "system", name: job };
  if (job !== "generation-step") return {};
  const { plan } = payload as Partial<GenerationStepPayload>;
  return { kind: "plan", name: `generate-project.${plan === "general" ? plan : "default"}` };
}
