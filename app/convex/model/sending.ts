// How a message begins: what a person says, with an empty answer beside it, in one transaction that
// also checks that nothing of the project is being answered. Of two at once one is refused.
import type { Doc } from "../_generated/dataModel";
import type { MutationCtx, QueryCtx } from "../_generated/server";
import { coded } from "./errors";
import { findMessage, requireConversation } from "./lookup";
import { belongsToHistory, createMessage } from "./messages";

interface Start {
  conversationId?: string | undefined;
  message?: string | undefined;
  retryOf?: string | undefined;
  ownerId?: string | undefined;
}

export async function startMessage(ctx: MutationCtx, { ownerId, ...start }: Start) {
  const retried =
    start.retryOf === undefined ? undefined : await retriedMessage(ctx, start.retryOf);
  const wanted = retried?.conversationId ?? start.conversationId ?? "";
  const { _id: conversationId, projectId } = await requireConversation(ctx, wanted);
  const project = await ctx.db.get(projectId);
  if (project === null || (ownerId ?? project.ownerId) !== project.ownerId) {
    throw retried === undefined ? missing("conversation") : missing("message");
  }
  const busy = await ctx.db
    .query("messages")
    .withIndex("by_project_status", (q) => q.eq("projectId", projectId).eq("status", "processing"))
    .first();
  if (busy !== null) return { state: "busy" as const, messageId: busy._id, projectId };

  const where = { conversationId, projectId };
  if (retried === undefined) {
    await createMessage(ctx, { ...where, role: "user", content: start.message ?? "" });
  } else {
    await requireRetryable(ctx, retried);
  }
  const answer = { role: "assistant" as const, content: "", status: "processing" as const };
  const messageId = await createMessage(ctx, { ...where, ...answer });
  return { state: "started" as const, messageId, projectId };
}

async function retriedMessage(ctx: QueryCtx, id: string): Promise<Doc<"messages">> {
  const message = await findMessage(ctx, id);
  if (message === null) throw missing("message");
  return message;
}

/**
 * Only the last answer can be asked for once more, and only when a model does not see it: otherwise
 * the new one would answer something else.
 */
async function requireRetryable(ctx: QueryCtx, message: Doc<"messages">): Promise<void> {
  const last = await ctx.db
    .query("messages")
    .withIndex("by_conversation", (q) => q.eq("conversationId", message.conversationId))
    .order("desc")
    .first();
  if (message.role !== "assistant" || belongsToHistory(message) || last?._id !== message._id) {
    throw coded("NOT_RETRYABLE", "Only the last answer can be asked for again, when it failed");
  }
}

function missing(what: "conversation" | "message") {
  return what === "message"
    ? coded("MESSAGE_NOT_FOUND", "Message not found")
    : coded("CONVERSATION_NOT_FOUND", "Conversation not found");
}
