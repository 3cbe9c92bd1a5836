// The batches of a deletion that did not fit into one transaction.
import { v } from "convex/values";
import { internalMutation } from "./_generated/server";
import { removeBelow, removeRowsOf } from "./model/removal";

export const project = internalMutation({
  args: { projectId: v.id("projects") },
  returns: v.null(),
  handler: async (ctx, { projectId }): Promise<null> => {
    await removeRowsOf(ctx, projectId);
    return null;
  },
});

export const below = internalMutation({
  args: { projectId: v.id("projects"), parents: v.array(v.id("files")) },
  returns: v.null(),
  handler: async (ctx, { projectId, parents }): Promise<null> => {
    await removeBelow(ctx, projectId, parents);
    return null;
  },
});
