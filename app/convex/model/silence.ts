// Whether a generation still lives, told from its project's log alone: the log is what every part of a
// generation writes, whichever process it runs in, and needs no table of its own. Pure, but for the
// function that begins one.
import { internal } from "../_generated/api";
import type { Doc } from "../_generated/dataModel";
import type { MutationCtx } from "../_generated/server";
import { type Generation, tells } from "./generation";
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
  if (later.some(endsLook)) return "over";
  let last: Line = { type: "step", message: BEGINNING, createdAt: since };
  let told: Generation | null = null;
  for (const line of [...later].sort((one, other) => one.createdAt - other.createdAt)) {
    last = line;
    told = tells(line) ?? told;
  }
  if (told?.status === "completed") {
    // Behind the ninth step there may be one more, which begins within seconds.
    const left = last.createdAt + QUIET_BETWEEN_STEPS_MS - now;
    return left > 0 ? { lookAgainInMs: left } : "over";
  }
  const isBetween = last.type === "step" && /^(Completed |Starting validate-)/.test(last.message);
  const limit = isBetween ? QUIET_BETWEEN_STEPS_MS : QUIET_INSIDE_STEP_MS;
  const left = last.createdAt + limit - now;
  return left > 0 ? { lookAgainInMs: left } : "lost";
}

/** It has ended badly, or a younger attempt or another generation has begun, with a check of its own. */
function endsLook(line: Line): boolean {
  if (line.message === BEGINNING) return true;
  const told = tells(line);
  if (told === null) return false;
  return told.generationId !== undefined || told.status === "failed" || told.status === "cancelled";
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
