// Generates a project in nine durable steps. Each step is a child run under a key of its own, so that
// what is finished stays finished, whatever dies. Which step comes next is the core's to say; here it
// is run and waited for. Across a wait this run holds no run handle, socket, timer or process.

import { AbortTaskRunError, idempotencyKeys, metadata, task } from "@trigger.dev/sdk";
import {
  CancelledError,
  type GenerationEndPayload,
  type GenerationState,
  type GenerationValidatePayload,
  type Inspection,
  type NextAction,
  nextGenerationAction,
  type PlanName,
  PolarisError,
  type Repair,
  type RunResult,
  type Usage,
  type Verify,
} from "polaris-agent";
import { childEnded, childStopped, stopChildWithRun } from "../child.ts";
import { forRunner, handOver, isTimeout } from "../run.ts";
import { generationStep } from "./generation-step.ts";

export interface GenerateProjectPayload {
  projectId: string;
  /** What the project is to be. */
  description: string;
  /** The same id again is the same generation. Default: the id of this run. */
  generationId?: string;
  /** Whose prompts are followed. Default: `default`. */
  plan?: PlanName;
  /** `repair`: what the inspection finds behind the ninth step is repaired. Default: `VERIFY`. */
  verify?: Verify;
  /** @deprecated Payloads of earlier versions carry these. They are not read and go nowhere. */
  internalKey?: unknown;
  /** @deprecated As `internalKey`. */
  convexUrl?: unknown;
  /** @deprecated As `internalKey`. */
  convexToken?: unknown;
}

export interface GeneratedStep {
  id: string;
  runId: string;
  /** How many files it wrote. */
  files: number;
}

export interface GeneratedProject {
  success: true;
  projectId: string;
  steps: GeneratedStep[];
  /** How many files all steps wrote; one that two steps wrote counts once. */
  files: number;
  usage: Usage;
  /** What was found to be wrong with the project at the end; absent if it was not inspected. */
  inspection?: Inspection;
  /** What was repaired behind the ninth step; absent if nothing had to be, or nobody asked for it. */
  repair?: Repair & { runId: string };
}

type StepOutput = Pick<RunResult, "written" | "usage" | "inspection" | "repair">;
type Child = Exclude<NextAction, { kind: "validate" } | { kind: "done" }>;

/** What follows the ninth step, where a payload does not say it: `"off"`, or `"repair"`. */
const VERIFY: Verify = "off";

const MAX_ATTEMPTS = 3;
const MAX_DURATION_S = 3_600;
const MAX_REASON_CHARS = 500;

export const generateProject = task({
  id: "generate-project",
  machine: "small-1x",
  maxDuration: MAX_DURATION_S,
  retry: {
    maxAttempts: MAX_ATTEMPTS,
    factor: 2,
    minTimeoutInMs: 1_000,
    maxTimeoutInMs: 60_000,
    randomize: true,
    // As in generation-step.ts: without it the generation of a killed worker would not go on.
    outOfMemory: { machine: "medium-1x" },
  },
  run: async (payload: GenerateProjectPayload, { ctx, signal }): Promise<GeneratedProject> => {
    // Named one by one: nothing else of a payload is passed on.
    const { projectId, description, generationId = ctx.run.id } = payload;
    const { plan = "default", verify = VERIFY } = payload;
    const state: GenerationState = { validated: false, finished: 0, verify };
    const progress = new Progress();
    for (;;) {
      const action = nextOf(generationId, plan, state);
      if (action.kind === "done") return progress.result(projectId);
      if (action.kind === "validate") {
        await validate({ projectId, description }, ctx, signal);
        state.validated = true;
        continue;
      }
      await progress.begins(action);
      const { step } = action;
      const idempotencyKey = await idempotencyKeys.create(action.key, { scope: "global" });
      const child = await generationStep.triggerAndWait(
        { projectId, description, step, plan },
        { idempotencyKey, tags: [`project_${projectId}`] },
      );
      // Its end is noted by `onCancel`, once.
      if (signal.aborted) {
        throw forRunner(new CancelledError("CANCELLED", "the generation was stopped"));
      }
      // The child had its attempts.
      if (!child.ok) throw new AbortTaskRunError(`${step}: ${reasonOf(child.error)}`);
      progress.finished(action, child.id, child.output);
      if (action.kind === "repair") state.repaired = true;
      else state.finished += 1;
      const { inspection } = child.output;
      if (inspection === undefined) delete state.problems;
      else state.problems = inspection.count;
    }
  },
  onWait: stopChildWithRun,
  onResume: childEnded,
  // After the last attempt. The runtime calls it for a run that a cancel ended, too.
  onFailure: async ({ payload: { projectId }, ctx, error, signal }) => {
    if (signal.aborted && !isTimeout(signal.reason)) return;
    if (error instanceof Error && logged.has(error)) return;
    await logEnd({ projectId, outcome: "failed", reason: reasonOf(error) }, ctx);
  },
  // Does not wait for `run`: a run that waits for a child is not resumed any more.
  onCancel: async ({ payload: { projectId }, ctx, signal }) => {
    await childStopped(signal);
    await logEnd({ projectId, outcome: "cancelled" }, ctx);
  },
});

type Ctx = Parameters<typeof handOver>[0]["ctx"];

/** Errors that stand in the project's log already. */
const logged = new WeakSet<Error>();

async function validate(
  payload: GenerationValidatePayload,
  ctx: Ctx,
  signal: AbortSignal,
): Promise<void> {
  const job = "generation-validate";
  try {
    await handOver({ job, payload, progress: false, maxAttempts: MAX_ATTEMPTS, ctx, signal });
  } catch (error) {
    if (error instanceof AbortTaskRunError && isInvalid(error.cause)) logged.add(error);
    throw error;
  }
}

function isInvalid(cause: unknown): boolean {
  return cause instanceof PolarisError && cause.code === "PAYLOAD_INVALID";
}

async function logEnd(payload: GenerationEndPayload, ctx: Ctx): Promise<void> {
  // The run's own signal may have been aborted.
  const { signal } = new AbortController();
  const job = "generation-end";
  await handOver({ job, payload, progress: false, maxAttempts: MAX_ATTEMPTS, ctx, signal });
}

function nextOf(generationId: string, plan: PlanName, state: GenerationState): NextAction {
  try {
    return nextGenerationAction(generationId, plan, state);
  } catch (error) {
    throw forRunner(error);
  }
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const [line = ""] = message.split("\n", 1);
  return line.slice(0, MAX_REASON_CHARS);
}

/** What is shown of the generation while it runs, and returned at its end. */
class Progress {
  readonly #steps: GeneratedStep[] = [];
  readonly #files = new Set<string>();
  /** Of the last finished step. */
  #inspection: Inspection | undefined;
  #repair: GeneratedProject["repair"];
  #place = { number: 0, of: 0 };
  readonly #usage: Usage = { input: 0, output: 0, cached: 0, cacheWrite: 0, reasoning: 0, cost: 0 };

  async begins(action: Child): Promise<void> {
    // Nine steps stay nine: the extra one has no number of its own.
    if (action.kind === "step") this.#place = { number: action.number, of: action.of };
    metadata.set("step", { id: action.step, ...this.#place });
    this.#publish();
    // The run may be frozen during the wait; what is shown then is what was sent before.
    await metadata.flush().catch(() => undefined);
  }

  finished({ kind, step: id }: Child, runId: string, output: StepOutput): void {
    const written = output.written ?? [];
    this.#inspection = output.inspection;
    if (kind === "step") this.#steps.push({ id, runId, files: written.length });
    else if (output.repair !== undefined) this.#repair = { ...output.repair, runId };
    for (const path of written) this.#files.add(path);
    for (const key of Object.keys(this.#usage) as (keyof Usage)[]) {
      this.#usage[key] += output.usage[key] ?? 0;
    }
    this.#publish();
  }

  result(projectId: string): GeneratedProject {
    const steps = this.#steps;
    const inspection = this.#inspection;
    const repair = this.#repair;
    return {
      success: true,
      projectId,
      steps,
      files: this.#files.size,
      usage: this.#usage,
      ...(inspection === undefined ? {} : { inspection }),
      ...(repair === undefined ? {} : { repair }),
    };
  }

  #publish(): void {
    metadata.set("files", this.#files.size);
    metadata.set("usage", { ...this.#usage });
  }
}
