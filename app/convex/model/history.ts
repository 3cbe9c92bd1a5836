// A conversation's messages as a page shows them: without the journal of a run, with the reason of a
// failure beside the text. The message that streams changes ten times a second, so nothing here reads
// it together with others: the list of finished messages must not be sent again for each token.
//
// A conversation's `updatedAt` is the creation time of its newest answer, to the fraction of a
// millisecond, until something else happens in it: a list can leave that answer out without reading it.
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
  withoutNewest?: boolean | undefined;
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
  { before = Number.POSITIVE_INFINITY, limit = MAX_MESSAGES, withoutNewest = false }: Page,
): Promise<Infer<typeof shownMessage>[]> {
  const most = Math.min(Math.max(1, Math.floor(limit)), MAX_MESSAGES);
  const { updatedAt } = conversation;
  const isNewestWanted = updatedAt < before && !withoutNewest;
  const newestFirst = [
    messagesBetween(ctx, conversation, Math.min(updatedAt, before), before),
    isNewestWanted ? finishedNewest(ctx, conversation) : [],
    messagesBetween(ctx, conversation, 0, Math.min(updatedAt, before)),
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

/** Newest first, both ends left out. */
function messagesBetween(
  ctx: QueryCtx,
  { _id }: Doc<"conversations">,
  after: number,
  before: number,
) {
  return ctx.db
    .query("messages")
    .withIndex("by_conversation", (q) =>
      q.eq("conversationId", _id).gt("_creationTime", after).lt("_creationTime", before),
    )
    .order("desc");
}

/**
 * The newest answer once it is finished. Asked for by its status, so that it is not read before: who
 * follows this is told of its end, and of no token.
 */
async function* finishedNewest(
  ctx: QueryCtx,
  { _id, projectId, updatedAt }: Doc<"conversations">,
): AsyncGenerator<Doc<"messages">> {
  for (const status of [undefined, "completed", "failed", "cancelled"] as const) {
    const found = ctx.db
      .query("messages")
      .withIndex("by_project_status", (q) =>
        q.eq("projectId", projectId).eq("status", status).eq("_creationTime", updatedAt),
      );
    for await (const message of found) {
      if (message.conversationId === _id) yield message;
    }
  }
}

/** The conversation's newest answer, and as long as it is the newest message: also after its end. */
export async function newestAnswer(
  ctx: QueryCtx,
  { _id, projectId, updatedAt }: Doc<"conversations">,
): Promise<Doc<"messages"> | null> {
  const newest = await ctx.db
    .query("messages")
    .withIndex("by_conversation", (q) => q.eq("conversationId", _id).eq("_creationTime", updatedAt))
    .first();
  if (newest !== null) return newest;
  // Something was written to the conversation since.
  return await answeringMessage(ctx, { _id, projectId });
}

async function answeringMessage(
  ctx: QueryCtx,
  { _id, projectId }: Pick<Doc<"conversations">, "_id" | "projectId">,
): Promise<Doc<"messages"> | null> {
  const processing = ctx.db
    .query("messages")
    .withIndex("by_project_status", (q) => q.eq("projectId", projectId).eq("status", "processing"));
  for await (const message of processing) {
    if (message.conversationId === _id) return message;
  }
  return null;
}

/** From here on this is the conversation's newest answer. */
export async function markNewest(ctx: MutationCtx, messageId: Id<"messages">): Promise<void> {
  const message = await ctx.db.get(messageId);
  if (message === null) return;
  await ctx.db.patch(message.conversationId, { updatedAt: message._creationTime });
}

/**
 * `ended` is final now. Where it was the newest answer and an older one of its conversation still streams
 * (only servers begin two), that one is followed from here on.
 */
export async function followOther(ctx: MutationCtx, ended: Doc<"messages">): Promise<void> {
  const { conversationId: _id, projectId } = ended;
  const other = await answeringMessage(ctx, { _id, projectId });
  if (other !== null && other._creationTime < ended._creationTime) await markNewest(ctx, other._id);
}

/** The conversation has changed now; never at a message's own time, which would make it the newest. */
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
