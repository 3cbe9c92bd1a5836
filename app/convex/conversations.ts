// Conversations of a project, as its owner sees them.
import { v } from "convex/values";
import { coded } from "./model/errors";
import { conversationFields, documentOf } from "./model/fields";
import { finishedMessages, shownMessage } from "./model/history";
import { ownConversation, ownerMutation, ownerQuery, ownProject } from "./model/owner";

const conversation = documentOf("conversations", conversationFields);

const DEFAULT_TITLE = "New conversation";
const MAX_TITLE_CHARS = 200;
const MAX_CONVERSATIONS = 500;

export const create = ownerMutation({
  args: { projectId: v.string(), title: v.optional(v.string()) },
  returns: v.id("conversations"),
  handler: async (ctx, { projectId, title = DEFAULT_TITLE }) => {
    if (title.length > MAX_TITLE_CHARS) {
      throw coded("INVALID_NAME", `A title has at most ${MAX_TITLE_CHARS} characters`);
    }
    const project = await ownProject(ctx, projectId);
    return await ctx.db.insert("conversations", {
      projectId: project._id,
      title,
      updatedAt: Date.now(),
    });
  },
});

export const getById = ownerQuery({
  args: { id: v.string() },
  returns: conversation,
  handler: async (ctx, { id }) => await ownConversation(ctx, id),
});

/** Newest created first. */
export const getByProject = ownerQuery({
  args: { projectId: v.string() },
  returns: v.array(conversation),
  handler: async (ctx, { projectId }) => {
    const project = await ownProject(ctx, projectId);
    return await ctx.db
      .query("conversations")
      .withIndex("by_project", (q) => q.eq("projectId", project._id))
      .order("desc")
      .take(MAX_CONVERSATIONS);
  },
});

/**
 * The finished messages, oldest first. Of a long conversation the newest `limit` (200 at most, fewer
 * where they are large); `before` (a `_creationTime`) asks for those before, and gets none only at the
 * beginning. `withoutNewest` leaves the answer to `messages:newest`, so that its end does not send the
 * list again.
 */
export const getMessages = ownerQuery({
  args: {
    conversationId: v.string(),
    before: v.optional(v.number()),
    limit: v.optional(v.number()),
    withoutNewest: v.optional(v.boolean()),
  },
  returns: v.array(shownMessage),
  handler: async (ctx, { conversationId, ...page }) =>
    await finishedMessages(ctx, await ownConversation(ctx, conversationId), page),
});
