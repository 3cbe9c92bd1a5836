// The caller's own row in `users`: made at their first sign-in, or with their first project.
import type { Doc } from "../_generated/dataModel";
import type { MutationCtx } from "../_generated/server";
import { coded } from "./errors";
import { LOCAL_ISSUER } from "./issuers";
import type { Caller } from "./owner";

/** Projects of a user without a subscription. */
export const FREE_PROJECT_LIMIT = 10;
export const UNLIMITED = -1;
/** Who has more projects is not counted any more. */
const MAX_COUNTED = 5_000;
type Ctx = MutationCtx & Caller;

export async function getOrCreateUser(ctx: Ctx): Promise<Doc<"users">> {
  const known = await ctx.db
    .query("users")
    .withIndex("by_stack_user", (q) => q.eq("stackUserId", ctx.userId))
    .first();
  if (known !== null) return known;
  const now = Date.now();
  const id = await ctx.db.insert("users", {
    stackUserId: ctx.userId,
    email: ctx.identity.email ?? "",
    projectLimit: ctx.identity.issuer === LOCAL_ISSUER ? UNLIMITED : FREE_PROJECT_LIMIT,
    createdAt: now,
    updatedAt: now,
  });
  const user = await ctx.db.get(id);
  if (user === null) throw coded("UNAUTHORIZED", "The user could not be created, please try again");
  return user;
}

/** Refuses when the caller has as many projects as they may. */
export async function requireRoomForProject(ctx: Ctx, user: Doc<"users">): Promise<void> {
  const { projectLimit: limit } = user;
  if (limit === UNLIMITED) return;
  const owned = await ctx.db
    .query("projects")
    .withIndex("by_owner", (q) => q.eq("ownerId", ctx.userId))
    .take(limit);
  if (owned.length >= limit) {
    throw coded(
      "PROJECT_LIMIT_REACHED",
      `Project limit reached. You have ${limit} projects; please upgrade to Pro for unlimited projects.`,
    );
  }
}

/** Does nothing for a user without a row. */
export async function setProjectLimit(
  ctx: MutationCtx,
  { userId, projectLimit, allowed }: { userId: string; projectLimit: number; allowed: boolean },
): Promise<void> {
  const user = await ctx.db
    .query("users")
    .withIndex("by_stack_user", (q) => q.eq("stackUserId", userId))
    .first();
  if (user === null) return;
  let limit = projectLimit < 0 ? UNLIMITED : Math.floor(projectLimit);
  if (allowed && limit !== UNLIMITED) {
    // Of the plan's projects some may have been counted elsewhere, or given back.
    const owned = await ctx.db
      .query("projects")
      .withIndex("by_owner", (q) => q.eq("ownerId", userId))
      .take(MAX_COUNTED);
    if (owned.length === MAX_COUNTED) limit = UNLIMITED;
    else if (owned.length >= limit) limit = owned.length + 1;
  }
  if (limit === user.projectLimit) return;
  await ctx.db.patch(user._id, { projectLimit: limit, updatedAt: Date.now() });
}
