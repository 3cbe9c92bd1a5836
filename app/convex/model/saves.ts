// A person's save wins over a job's write: what somebody saved while a job was running, that job does
// not overwrite or delete. Whose version a file holds stands in its `updatedAt`, as a fraction of a
// millisecond, so that an app's schema needs no change.
import type { Doc, Id } from "../_generated/dataModel";
import type { QueryCtx } from "../_generated/server";
import { coded } from "./errors";
import type { Guard } from "./messages";
import { nextUpdate } from "./projects";

const PERSONS_FRACTION_MS = 0.5;

/** The time of a person's save: the project's next. */
export function personsTime(project: Doc<"projects">): number {
  return nextUpdate(project) + PERSONS_FRACTION_MS;
}

export function isPersons({ updatedAt }: Pick<Doc<"files">, "updatedAt">): boolean {
  return updatedAt % 1 === PERSONS_FRACTION_MS;
}

/**
 * When the job behind a write began: its message, or the first line of the project's log for a
 * generation, which is no message. Of what has neither, nothing is known and all is allowed.
 */
export async function jobBegan(
  ctx: QueryCtx,
  projectId: Id<"projects">,
  guard: Guard | undefined,
): Promise<number> {
  if (guard !== undefined) {
    const messageId = ctx.db.normalizeId("messages", guard.messageId);
    const message = messageId === null ? null : await ctx.db.get(messageId);
    return message?._creationTime ?? Number.POSITIVE_INFINITY;
  }
  const first = await ctx.db
    .query("generationEvents")
    .withIndex("by_project_created_at", (q) => q.eq("projectId", projectId))
    .first();
  return first?.createdAt ?? Number.POSITIVE_INFINITY;
}

/** Refuses where a person has saved the file since. The model reads the reason. */
export function requireNotSavedSince(row: Doc<"files">, path: string, began: number): void {
  if (row.type === "file" && isPersons(row) && row.updatedAt > began) {
    throw coded(
      "CHANGED_BY_USER",
      `${path} was changed by the user while you were working, and their version stays. Leave it as it is; read it again if you build on it`,
    );
  }
}
