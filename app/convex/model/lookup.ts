// Finds documents by ids that came from outside. Ids are taken as plain strings and checked here,
// so that a wrong one is a coded error and not a validator's text, which production hides.
import type { Doc, Id } from "../_generated/dataModel";
import type { QueryCtx } from "../_generated/server";
import { coded } from "./errors";

export async function findMessage(ctx: QueryCtx, id: string): Promise<Doc<"messages"> | null> {
  const messageId = ctx.db.normalizeId("messages", id);
  return messageId === null ? null : await ctx.db.get(messageId);
}

export async function findConversation(
  ctx: QueryCtx,
  id: string,
): Promise<Doc<"conversations"> | null> {
  const conversationId = ctx.db.normalizeId("conversations", id);
  return conversationId === null ? null : await ctx.db.get(conversationId);
}

/** With a project id, a conversation of another project counts as missing. */
export async function requireConversation(
  ctx: QueryCtx,
  id: string,
  projectId?: string,
): Promise<Doc<"conversations">> {
  const conversation = await findConversation(ctx, id);
  if (conversation === null || (projectId ?? conversation.projectId) !== conversation.projectId) {
    throw coded("CONVERSATION_NOT_FOUND", "Conversation not found");
  }
  return conversation;
}

export async function requireProject(ctx: QueryCtx, id: string): Promise<Doc<"projects">> {
  const projectId = ctx.db.normalizeId("projects", id);
  const project = projectId === null ? null : await ctx.db.get(projectId);
  if (project === null) throw coded("PROJECT_NOT_FOUND", "Project not found");
  return project;
}

/** A message that jobs may write to. */
export async function requireAssistantMessage(ctx: QueryCtx, id: string): Promise<Doc<"messages">> {
  const message = await findMessage(ctx, id);
  if (message === null) throw coded("MESSAGE_NOT_FOUND", "Message not found");
  if (message.role !== "assistant") {
    throw coded("NOT_AN_ASSISTANT_MESSAGE", "Only an assistant message can be written by a job");
  }
  return message;
}

/** A project id for reading lists: null when there can be no such project. */
export function normalizeProjectId(ctx: QueryCtx, id: string): Id<"projects"> | null {
  return ctx.db.normalizeId("projects", id);
}
