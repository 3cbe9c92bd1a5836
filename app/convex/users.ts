// The caller's own account, and what servers know of its plan.
import { v } from "convex/values";
import { ownerMutation } from "./model/owner";
import { serverMutation } from "./model/server";
import * as users from "./model/users";

/** At sign-in. */
export const getOrCreateUser = ownerMutation({
  args: {},
  returns: v.id("users"),
  handler: async (ctx) => (await users.getOrCreateUser(ctx))._id,
});

/**
 * What billing says of a user's plan: how many projects it includes (-1: any number), and whether there
 * is room for one more, which counts whatever the two have counted.
 */
export const setProjectLimit = serverMutation({
  args: { userId: v.string(), projectLimit: v.number(), allowed: v.boolean() },
  returns: v.null(),
  handler: async (ctx, plan) => {
    await users.setProjectLimit(ctx, plan);
    return null;
  },
});
