// Builders for functions that people call: they need an identity, and hand its subject to the
// handler. What a person asks about must be theirs: a foreign document is answered exactly like a
// missing one, so that ids tell nothing.
import type { RegisteredMutation, RegisteredQuery, UserIdentity } from "convex/server";
import type { GenericValidator, Infer, ObjectType, PropertyValidators } from "convex/values";
import type { Doc } from "../_generated/dataModel";
import { type MutationCtx, mutation, type QueryCtx, query } from "../_generated/server";
import { coded } from "./errors";
import { findConversation, findMessage } from "./lookup";

/** Who calls: `userId` is the subject of their token. */
export interface Caller {
  userId: string;
  identity: UserIdentity;
}

type Definition<Ctx, Args extends PropertyValidators, Returns extends GenericValidator> = {
  args: Args;
  returns: Returns;
  handler: (ctx: Ctx & Caller, args: ObjectType<Args>) => Promise<Infer<Returns>>;
};

export function ownerQuery<Args extends PropertyValidators, Returns extends GenericValidator>(
  definition: Definition<QueryCtx, Args, Returns>,
): RegisteredQuery<"public", ObjectType<Args>, Promise<Infer<Returns>>> {
  return query({
    args: definition.args as PropertyValidators,
    returns: definition.returns,
    handler: async (ctx, args) =>
      definition.handler({ ...ctx, ...(await callerOf(ctx)) }, args as unknown as ObjectType<Args>),
  }) as unknown as RegisteredQuery<"public", ObjectType<Args>, Promise<Infer<Returns>>>;
}

export function ownerMutation<Args extends PropertyValidators, Returns extends GenericValidator>(
  definition: Definition<MutationCtx, Args, Returns>,
): RegisteredMutation<"public", ObjectType<Args>, Promise<Infer<Returns>>> {
  return mutation({
    args: definition.args as PropertyValidators,
    returns: definition.returns,
    handler: async (ctx, args) =>
      definition.handler({ ...ctx, ...(await callerOf(ctx)) }, args as unknown as ObjectType<Args>),
  }) as unknown as RegisteredMutation<"public", ObjectType<Args>, Promise<Infer<Returns>>>;
}

async function callerOf(ctx: QueryCtx): Promise<Caller> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity === null) throw coded("UNAUTHORIZED", "Unauthorized");
  return { userId: identity.subject, identity };
}

type Ctx = QueryCtx & Pick<Caller, "userId">;

export async function ownProject(ctx: Ctx, id: string): Promise<Doc<"projects">> {
  const projectId = ctx.db.normalizeId("projects", id);
  const project = projectId === null ? null : await ctx.db.get(projectId);
  if (project?.ownerId !== ctx.userId) throw coded("PROJECT_NOT_FOUND", "Project not found");
  return project;
}

export async function ownConversation(ctx: Ctx, id: string): Promise<Doc<"conversations">> {
  const conversation = await findConversation(ctx, id);
  const project = conversation === null ? null : await ctx.db.get(conversation.projectId);
  if (conversation === null || project?.ownerId !== ctx.userId) {
    throw coded("CONVERSATION_NOT_FOUND", "Conversation not found");
  }
  return conversation;
}

export async function ownMessage(ctx: Ctx, id: string): Promise<Doc<"messages">> {
  const message = await findMessage(ctx, id);
  const project = message === null ? null : await ctx.db.get(message.projectId);
  if (message === null || project?.ownerId !== ctx.userId) {
    throw coded("MESSAGE_NOT_FOUND", "Message not found");
  }
  return message;
}

export async function ownFile(ctx: Ctx, id: string): Promise<Doc<"files">> {
  const fileId = ctx.db.normalizeId("files", id);
  const file = fileId === null ? null : await ctx.db.get(fileId);
  const project = file === null ? null : await ctx.db.get(file.projectId);
  if (file === null || project?.ownerId !== ctx.userId) {
    throw coded("FILE_NOT_FOUND", "File not found");
  }
  return file;
}
