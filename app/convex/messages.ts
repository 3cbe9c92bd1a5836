// A message that streams, as its owner follows it. Each of these is one document, so that a token, and
// the end, costs one small update.
import { v } from "convex/values";
import { newestAnswer, shown, shownMessage } from "./model/history";
import { ownConversation, ownerQuery, ownMessage } from "./model/owner";

/** One message, also after its end. */
export const streaming = ownerQuery({
  args: { messageId: v.string() },
  returns: shownMessage,
  handler: async (ctx, { messageId }) => shown(await ownMessage(ctx, messageId)),
});

/**
 * The conversation's newest answer, while it streams and after; null where it has none, or where
 * something else was written since.
 */
export const newest = ownerQuery({
  args: { conversationId: v.string() },
  returns: v.union(shownMessage, v.null()),
  handler: async (ctx, { conversationId }) => {
    const message = await newestAnswer(ctx, await ownConversation(ctx, conversationId));
    return message === null ? null : shown(message);
  },
});
