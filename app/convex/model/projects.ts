// Projects, their conversations and their generation log, as servers write them.
import type { Infer } from "convex/values";
import type { Doc } from "../_generated/dataModel";
import type { MutationCtx, QueryCtx } from "../_generated/server";
import type { exportStatus, importStatus } from "./fields";
import { normalizeProjectId, requireProject } from "./lookup";

/**
 * No two changes of a project have one time, so that an equal time means that nothing changed. Whole
 * milliseconds: a fraction says that a person saved (see `saves.ts`).
 */
export function nextUpdate(project: Doc<"projects">): number {
  return Math.max(Date.now(), Math.floor(project.updatedAt) + 1);
}

export async function createProject(ctx: MutationCtx, args: { name: string; ownerId: string }) {
  return await ctx.db.insert("projects", {
    name: args.name,
    ownerId: args.ownerId,
    updatedAt: Date.now(),
  });
}

export async function createConversation(
  ctx: MutationCtx,
  args: { projectId: string; title: string },
) {
  const project = await requireProject(ctx, args.projectId);
  return await ctx.db.insert("conversations", {
    projectId: project._id,
    title: args.title,
    updatedAt: Date.now(),
  });
}

export async function processingMessages(ctx: QueryCtx, projectId: string) {
  const id = normalizeProjectId(ctx, projectId);
  if (id === null) return [];
  return await ctx.db
    .query("messages")
    .withIndex("by_project_status", (q) => q.eq("projectId", id).eq("status", "processing"))
    .collect();
}

type EventKey = Pick<Doc<"generationEvents">, "projectId" | "type" | "message" | "createdAt">;

/** The line of the log that says this at this time. */
export async function findGenerationEvent(
  ctx: QueryCtx,
  { projectId, type, message, createdAt }: EventKey,
): Promise<Doc<"generationEvents"> | undefined> {
  const sameTime = await ctx.db
    .query("generationEvents")
    .withIndex("by_project_created_at", (q) =>
      q.eq("projectId", projectId).eq("createdAt", createdAt),
    )
    .collect();
  return sameTime.find((event) => event.type === type && event.message === message);
}

/** With `createdAt` given, the same event again is the same row: a retry adds nothing. */
export async function appendGenerationEvent(
  ctx: MutationCtx,
  args: Pick<Doc<"generationEvents">, "type" | "message" | "filePath" | "preview"> & {
    projectId: string;
    createdAt?: number | undefined;
  },
): Promise<void> {
  const { _id: projectId } = await requireProject(ctx, args.projectId);
  const { type, message, createdAt } = args;
  if (createdAt !== undefined) {
    const key = { projectId, type, message, createdAt };
    if ((await findGenerationEvent(ctx, key)) !== undefined) return;
  }
  await ctx.db.insert("generationEvents", {
    projectId,
    type,
    message,
    ...(args.filePath === undefined ? {} : { filePath: args.filePath }),
    ...(args.preview === undefined ? {} : { preview: args.preview }),
    createdAt: createdAt ?? Date.now(),
  });
}

export async function setImportStatus(
  ctx: MutationCtx,
  args: { projectId: string; status: Infer<typeof importStatus> },
): Promise<void> {
  const project = await requireProject(ctx, args.projectId);
  await ctx.db.patch(project._id, { importStatus: args.status, updatedAt: nextUpdate(project) });
}

/** The repository's address is cleared when none is given. */
export async function setExportStatus(
  ctx: MutationCtx,
  args: { projectId: string; status: Infer<typeof exportStatus>; repoUrl?: string | undefined },
): Promise<void> {
  const project = await requireProject(ctx, args.projectId);
  await ctx.db.patch(project._id, {
    exportStatus: args.status,
    exportRepoUrl: args.repoUrl,
    updatedAt: nextUpdate(project),
  });
}
