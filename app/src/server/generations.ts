// Starting a project's generation and stopping it: what a route, a command or a test does for a user.
// The files are the task's work, and its log is where a page follows it. Who may do it is the caller's
// question. Data come from Convex and the runner, and go there; nothing is kept here.

import { randomUUID } from "node:crypto";
import { idempotencyKeys } from "@trigger.dev/sdk";
import type {
  GeneratedProject,
  GenerateProjectPayload,
  generateProject,
} from "../../../trigger/tasks/generate-project.ts";
import { api } from "../../convex/_generated/api.js";
import { runner, store } from "./clients.ts";
import { MessageError } from "./errors.ts";

export interface GenerateOptions {
  projectId: string;
  /** What the project is to be. */
  description: string;
  /** Whose prompts are followed: `default` or `general`. */
  plan?: GenerateProjectPayload["plan"];
  /** `repair`: what an inspection finds at the end is repaired. Default: as the task says, `off`. */
  verify?: GenerateProjectPayload["verify"];
  /**
   * The same id again is the same generation, also when the first answer was lost; after a failure it
   * goes on behind the last finished step. Default: a new one.
   */
  generationId?: string;
}

/**
 * Starts the run that fills a project.
 *
 * @throws {MessageError} `TRIGGER_FAILED` when the runner did not take it.
 */
export async function generate({
  projectId,
  description,
  plan,
  verify,
  generationId = randomUUID(),
}: GenerateOptions): Promise<{ runId: string; generationId: string }> {
  const { tasks } = runner();
  const payload: GenerateProjectPayload = {
    projectId,
    description,
    generationId,
    ...(plan === undefined ? {} : { plan }),
    ...(verify === undefined ? {} : { verify }),
  };
  try {
    const run = await tasks.trigger<typeof generateProject>("generate-project", payload, {
      idempotencyKey: await idempotencyKeys.create(generationId, { scope: "global" }),
      tags: [`project_${projectId}`],
    });
    return { runId: run.id, generationId };
  } catch (cause) {
    throw new MessageError("TRIGGER_FAILED", "the generation could not be started", { cause });
  }
}

export interface GenerationProgress {
  status: "queued" | "running" | "completed" | "failed" | "cancelled";
  /** The step that was begun last; absent before the first. `number` counts from 1. */
  step?: { id: string; number: number; of: number };
  /** Files that its finished steps wrote. */
  files: number;
  /** Tokens and cost of its finished steps; absent before the first. */
  usage?: GeneratedProject["usage"];
  /** Why it failed. */
  error?: string;
}

/**
 * How far one generation is. Unlike the project's log, which all generations of a project share, this
 * is told by its run alone.
 */
export async function progressOf({ runId }: { runId: string }): Promise<GenerationProgress> {
  const run = await runner().runs.retrieve<typeof generateProject>(runId);
  const { step, files = 0, usage } = (run.metadata ?? {}) as Partial<GenerationProgress>;
  return {
    status: statusOf(run),
    ...(step === undefined ? {} : { step }),
    files,
    ...(usage === undefined ? {} : { usage }),
    ...(run.error === undefined ? {} : { error: run.error.message }),
  };
}

function statusOf(run: {
  isSuccess: boolean;
  isCancelled: boolean;
  isCompleted: boolean;
  isQueued: boolean;
}): GenerationProgress["status"] {
  if (run.isSuccess) return "completed";
  if (run.isCancelled) return "cancelled";
  if (run.isCompleted) return "failed";
  return run.isQueued ? "queued" : "running";
}

/**
 * Stops a generation at once; files that it wrote stay. On one that has ended it changes nothing.
 *
 * @returns whether the runner took the cancel.
 */
export async function cancelGeneration({
  runId,
}: {
  runId: string;
}): Promise<{ runCancelled: boolean }> {
  const [{ convex, key }, { runs }] = [store(), runner()];
  const { isCompleted } = await runs.retrieve(runId);
  if (isCompleted) return { runCancelled: false };
  await runs.cancel(runId);
  // Asked afterwards: a cancelled run does not begin any more, so nobody else would note its end.
  const { startedAt, payload } = await runs.retrieve<typeof generateProject>(runId);
  if (startedAt === undefined && payload !== undefined) {
    const message = "Generation cancelled";
    const { projectId } = payload;
    await convex.mutation(api.system.appendGenerationEvent, {
      ...key,
      projectId,
      type: "info",
      message,
    });
  }
  return { runCancelled: true };
}
