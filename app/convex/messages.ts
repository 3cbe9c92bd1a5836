// The message that is being answered, as its owner follows it. Each of these is one document, so that
// a token costs one small update.
import { v } from "convex/values";
import { answeringMessage, shown, shownMessage } from "./model/history";
import { ownConversation, ownerQuery, ownMessage } from "./model/owner";

/** One message, also after its end. */
export const streaming = ownerQuery({
  args: { messageId: v.string() },
  returns: shownMessage,
  handler: async (ctx, { messageId }) => shown(await ownMessage(ctx, messageId)),
});

/** The conversation's message that is being answered, or null. */
export const answering = ownerQuery({
  args: { conversationId: v.string() },
  returns: v.union(shownMessage, v.null()),
  handler: async (ctx, { conversationId }) => {
    const message = await answeringMessage(ctx, await ownConversation(ctx, conversationId));
    return message === null ? null : shown(message);
  },
});
