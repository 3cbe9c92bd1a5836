// The caller's own account.
import { v } from "convex/values";
import { ownerMutation } from "./model/owner";
import * as users from "./model/users";

/** At sign-in. */
export const getOrCreateUser = ownerMutation({
  args: {},
  returns: v.id("users"),
  handler: async (ctx) => (await users.getOrCreateUser(ctx))._id,
});
