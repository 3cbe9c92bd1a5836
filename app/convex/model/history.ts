// A conversation's messages as a page shows them: without the journal of a run, with the reason of a
// failure beside the text. The message that streams changes ten times a second, so nothing here reads
// it together with others: the list of finished messages must not be sent again for each token.
import { getConvexSize, type Infer, v } from "convex/values";
import type { Doc, Id } from "../_generated/dataModel";
import type { MutationCtx, QueryCtx } from "../_generated/server";
import { messageFields, messageStatus, storedToolCall } from "./fields";
import { failureOf, visibleCalls } from "./journal";

/** A page of a conversation at most; older messages are asked for with `before`. */
const MAX_MESSAGES = 200;
const MAX_READ_BYTES = 4 * 1024 * 1024;

interface Page {
  before?: number | undefined;
  limit?: number | undefined;
}

export const shownMessage = v.object({
  _id: v.id("messages"),
  _creationTime: v.number(),
  conversationId: v.id("conversations"),
  role: messageFields.role,
  content: v.string(),
  /** Absent on messages of people. */
  status: v.optional(messageStatus),
  toolCalls: v.array(storedToolCall),
  /** Why a failed message failed. */
  error: v.optional(v.object({ code: v.string(), message: v.string() })),
});

export function shown(message: Doc<"messages">): Infer<typeof shownMessage> {
  const { _id, _creationTime, conversationId, role, content, status } = message;
  const error = failureOf(message.toolCalls);
  return {
    _id,
    _creationTime,
    conversationId,
    role,
    content,
    ...(status === undefined ? {} : { status }),
    toolCalls: visibleCalls(message.toolCalls),
    ...(error === undefined ? {} : { error }),
  };
}

/** The newest finished messages (before a creation time), at most `limit`, oldest first. */
export async function finishedMessages(
  ctx: QueryCtx,
  conversation: Doc<"conversations">,
  { before = Number.POSITIVE_INFINITY, limit = MAX_MESSAGES }: Page,
): Promise<Infer<typeof shownMessage>[]> {
  const most = Math.min(Math.max(1, Math.floor(limit)), MAX_MESSAGES);
  // See `markAnswering`: while an answer streams, it is at this very time, and is left out unread.
  const { _id, updatedAt } = conversation;
  const newestFirst = [
    ctx.db
      .query("messages")
      .withIndex("by_conversation", (q) =>
        q
          .eq("conversationId", _id)
          .gt("_creationTime", Math.min(updatedAt, before))
          .lt("_creationTime", before),
      )
      .order("desc"),
    ctx.db
      .query("messages")
      .withIndex("by_conversation", (q) =>
        q.eq("conversationId", _id).lt("_creationTime", Math.min(updatedAt, before)),
      )
      .order("desc"),
  ];
  const found: Infer<typeof shownMessage>[] = [];
  let bytes = 0;
  for (const range of newestFirst) {
    for await (const message of range) {
      bytes += getConvexSize(message);
      if (bytes > MAX_READ_BYTES && found.length > 0) return found.reverse();
      if (message.status === "processing") continue;
      found.push(shown(message));
      if (found.length === most) return found.reverse();
    }
  }
  return found.reverse();
}

/** The conversation's message that is being answered. */
export async function answeringMessage(
  ctx: QueryCtx,
  conversation: Doc<"conversations">,
): Promise<Doc<"messages"> | null> {
  const processing = ctx.db
    .query("messages")
    .withIndex("by_project_status", (q) =>
      q.eq("projectId", conversation.projectId).eq("status", "processing"),
    );
  for await (const message of processing) {
    if (message.conversationId === conversation._id) return message;
  }
  return null;
}

/**
 * While an answer is under way, its conversation was updated at the answer's creation time, to the
 * fraction of a millisecond: a list can leave the answer out without reading it.
 */
export async function markAnswering(ctx: MutationCtx, messageId: Id<"messages">): Promise<void> {
  const message = await ctx.db.get(messageId);
  if (message === null) return;
  await ctx.db.patch(message.conversationId, { updatedAt: message._creationTime });
}

/** The conversation has changed now; never at a message's own time, which would hide it. */
export async function touchConversation(
  ctx: MutationCtx,
  conversationId: Id<"conversations">,
): Promise<void> {
  if ((await ctx.db.get(conversationId)) === null) return;
  let updatedAt = Date.now();
  const isTaken = (at: number) =>
    ctx.db
      .query("messages")
      .withIndex("by_conversation", (q) =>
        q.eq("conversationId", conversationId).eq("_creationTime", at),
      )
      .first();
  while ((await isTaken(updatedAt)) !== null) updatedAt += 1;
  await ctx.db.patch(conversationId, { updatedAt });
}
