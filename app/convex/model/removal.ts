// Deletes what may be more than one transaction can hold: a project's rows, the files below a folder.
// What is deleted vanishes at once, because its root goes first; the rest follows in batches, each a
// scheduled transaction of its own, so that a crash between two of them loses nothing.
import { getConvexSize } from "convex/values";
import { internal } from "../_generated/api";
import type { Doc, Id } from "../_generated/dataModel";
import type { MutationCtx } from "../_generated/server";

/** A quarter of what one transaction may read (16 MiB, docs.convex.dev/production/state/limits). */
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_ROWS = 500;

/** How much one transaction has deleted. */
class Budget {
  #bytes = 0;
  #rows = 0;

  get isSpent(): boolean {
    return this.#bytes >= BATCH_BYTES || this.#rows >= BATCH_ROWS;
  }

  add(row: Doc<"files" | "conversations" | "messages" | "generationEvents">): void {
    this.#bytes += getConvexSize(row);
    this.#rows += 1;
  }
}

/** The project is gone when this returns, and its rows soon. */
export async function removeProject(ctx: MutationCtx, projectId: Id<"projects">): Promise<void> {
  await ctx.db.delete(projectId);
  await removeRowsOf(ctx, projectId);
}

/** Deletes one batch of what belongs to a project that is gone, and schedules the next. */
export async function removeRowsOf(ctx: MutationCtx, projectId: Id<"projects">): Promise<void> {
  const budget = new Budget();
  const done =
    (await removeFilesOf(ctx, projectId, budget)) &&
    (await removeMessagesOf(ctx, projectId, budget)) &&
    (await removeEventsOf(ctx, projectId, budget));
  if (!done) await ctx.scheduler.runAfter(0, internal.removals.project, { projectId });
}

async function removeFilesOf(ctx: MutationCtx, projectId: Id<"projects">, budget: Budget) {
  const rows = ctx.db.query("files").withIndex("by_project", (q) => q.eq("projectId", projectId));
  for await (const row of rows) {
    await removeFileRow(ctx, row, budget);
    if (budget.isSpent) return false;
  }
  return true;
}

/** Messages are found by their conversation, so a conversation goes after its last message. */
async function removeMessagesOf(ctx: MutationCtx, projectId: Id<"projects">, budget: Budget) {
  const conversations = ctx.db
    .query("conversations")
    .withIndex("by_project", (q) => q.eq("projectId", projectId));
  for await (const conversation of conversations) {
    const messages = ctx.db
      .query("messages")
      .withIndex("by_conversation", (q) => q.eq("conversationId", conversation._id));
    for await (const message of messages) {
      await ctx.db.delete(message._id);
      budget.add(message);
      if (budget.isSpent) return false;
    }
    await ctx.db.delete(conversation._id);
    budget.add(conversation);
    if (budget.isSpent) return false;
  }
  return true;
}

async function removeEventsOf(ctx: MutationCtx, projectId: Id<"projects">, budget: Budget) {
  const events = ctx.db
    .query("generationEvents")
    .withIndex("by_project_created_at", (q) => q.eq("projectId", projectId));
  for await (const event of events) {
    await ctx.db.delete(event._id);
    budget.add(event);
    if (budget.isSpent) return false;
  }
  return true;
}

/** The row is gone when this returns, and everything below it soon, whatever the rows' types say. */
export async function removeTree(ctx: MutationCtx, row: Doc<"files">): Promise<void> {
  await removeFileRow(ctx, row, new Budget());
  await removeBelow(ctx, row.projectId, [row._id]);
}

/** Deletes one batch of the rows below rows that are gone, and schedules the next. */
export async function removeBelow(
  ctx: MutationCtx,
  projectId: Id<"projects">,
  parents: Id<"files">[],
): Promise<void> {
  const budget = new Budget();
  const left = [...parents];
  while (left.length > 0) {
    const parentId = left[left.length - 1] as Id<"files">;
    const child = await ctx.db
      .query("files")
      .withIndex("by_project_parent", (q) => q.eq("projectId", projectId).eq("parentId", parentId))
      .first();
    if (child === null) {
      left.pop();
      continue;
    }
    if (budget.isSpent) {
      await ctx.scheduler.runAfter(0, internal.removals.below, { projectId, parents: left });
      return;
    }
    // It goes before what is below it: a damaged tree with a cycle then still comes to an end.
    await removeFileRow(ctx, child, budget);
    left.push(child._id);
  }
}

async function removeFileRow(ctx: MutationCtx, row: Doc<"files">, budget: Budget): Promise<void> {
  await ctx.db.delete(row._id);
  if (row.storageId !== undefined) await ctx.storage.delete(row.storageId);
  budget.add(row);
}
