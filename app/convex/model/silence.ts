// Whether a generation still lives, told from its project's log alone: the log is what every part of a
// generation writes, whichever process it runs in, and needs no table of its own. Pure, but for the
// function that begins one.
import { internal } from "../_generated/api";
import type { Doc } from "../_generated/dataModel";
import type { MutationCtx } from "../_generated/server";
import { tells } from "./generation";
import { requireProject } from "./lookup";
import { appendGenerationEvent } from "./projects";

/** The first line of a generation, and of each new attempt of its run. */
export const BEGINNING = "Starting validate-input";
/**
 * Between two steps the next one begins within seconds. A queue with a concurrency limit may hold it
 * back for longer: then the line is there too early, and the generation goes on all the same.
 */
export const QUIET_BETWEEN_STEPS_MS = 10 * 60_000;
/**
 * Inside a step nothing may be logged while the model thinks, but an attempt that lives ends within
 * `limits.runMs` (55 min), and the next one says that it begins.
 */
export const QUIET_INSIDE_STEP_MS = 60 * 60_000;

export const LOST = "Generation failed: its run ended without a word";

type Line = Pick<Doc<"generationEvents">, "type" | "message" | "createdAt">;

/** The last word on a generation, or when to look again. */
export type Finding = "over" | "lost" | { lookAgainInMs: number };

/** @param since when the generation's attempt began; @param log its project's, in any order. */
export function look(log: readonly Line[], since: number, now: number): Finding {
  const later = log.filter(({ createdAt }) => createdAt > since);
  // A younger attempt, or another generation of the project, has a check of its own.
  if (later.some((line) => line.message === BEGINNING || isEnd(line))) return "over";
  let last: Line = { type: "step", message: BEGINNING, createdAt: since };
  for (const line of later) if (line.createdAt >= last.createdAt) last = line;
  const isBetween = last.type === "step" && /^(Completed |Starting validate-)/.test(last.message);
  const limit = isBetween ? QUIET_BETWEEN_STEPS_MS : QUIET_INSIDE_STEP_MS;
  const left = last.createdAt + limit - now;
  return left > 0 ? { lookAgainInMs: left } : "lost";
}

/** Over, or queued once more: then its new run has a check of its own. */
function isEnd(line: Line): boolean {
  const told = tells(line);
  return told !== null && (told.status !== "running" || told.generationId !== undefined);
}

/** The same call again adds no second line; a second check finds what the first one has done. */
export async function beginGeneration(
  ctx: MutationCtx,
  args: { projectId: string; createdAt: number },
): Promise<void> {
  const { _id: projectId } = await requireProject(ctx, args.projectId);
  await appendGenerationEvent(ctx, { ...args, type: "step", message: BEGINNING });
  const check = { projectId, since: args.createdAt };
  await ctx.scheduler.runAfter(QUIET_BETWEEN_STEPS_MS, internal.generations.check, check);
}
