// Projects, as their owner sees them.
import { v } from "convex/values";
import type { Doc } from "./_generated/dataModel";
import type { MutationCtx, QueryCtx } from "./_generated/server";
import { coded } from "./model/errors";
import { documentOf, generationEventFields, generationStatus, projectFields } from "./model/fields";
import { generationOf, logQueued, projectOfGeneration } from "./model/generation";
import { type Caller, ownerMutation, ownerQuery, ownProject } from "./model/owner";
import { nextUpdate } from "./model/projects";
import { removeProject } from "./model/removal";
import { getOrCreateUser, requireRoomForProject } from "./model/users";

const project = documentOf("projects", projectFields);

const MAX_NAME_CHARS = 200;
/** As the task takes it. */
const MAX_DESCRIPTION_BYTES = 64 * 1024;
/** Newest created first; a list of more is no list for people. */
const MAX_PROJECTS = 2_000;
const DEFAULT_EVENTS = 200;
const MAX_EVENTS = 1_000;

function checkedName(name: string): string {
  const checked = name.trim();
  if (checked === "") throw coded("INVALID_NAME", "A project needs a name");
  if (checked.length > MAX_NAME_CHARS) {
    throw coded("INVALID_NAME", `A project's name has at most ${MAX_NAME_CHARS} characters`);
  }
  return checked;
}

function checkedDescription(description: string): string {
  if (new TextEncoder().encode(description).length > MAX_DESCRIPTION_BYTES) {
    throw coded("TOO_LARGE", `A description has at most ${MAX_DESCRIPTION_BYTES} bytes`);
  }
  return description;
}

function checkedGenerationId(id: string): string {
  if (!/^[\w-]{1,100}$/.test(id)) throw coded("INVALID_NAME", "The generation's id is not one");
  return id;
}

async function insertProject(ctx: MutationCtx & Caller, name: string) {
  const user = await getOrCreateUser(ctx);
  await requireRoomForProject(ctx, user);
  return await ctx.db.insert("projects", {
    name: checkedName(name),
    ownerId: ctx.userId,
    userId: user._id,
    updatedAt: Date.now(),
  });
}

export const create = ownerMutation({
  args: { name: v.string() },
  returns: v.id("projects"),
  handler: async (ctx, { name }) => await insertProject(ctx, name),
});

/** The same generation again is the same project: people click twice, and answers get lost. */
export const createForGeneration = ownerMutation({
  args: {
    name: v.string(),
    generationId: v.string(),
    plan: v.union(v.literal("default"), v.literal("general")),
    description: v.string(),
  },
  returns: v.object({ projectId: v.id("projects"), isNew: v.boolean() }),
  handler: async (ctx, { name, generationId, plan, description }) => {
    const known = await projectOfGeneration(ctx, ctx.userId, generationId);
    if (known !== null) return { projectId: known._id, isNew: false };
    const projectId = await insertProject(ctx, name);
    await logQueued(ctx, projectId, {
      generationId: checkedGenerationId(generationId),
      plan,
      description: checkedDescription(description),
    });
    return { projectId, isNew: true };
  },
});

/** The caller's project that was begun for this generation; null: none was. */
export const getByGeneration = ownerQuery({
  args: { generationId: v.string() },
  returns: v.union(v.id("projects"), v.null()),
  handler: async (ctx, { generationId }) =>
    (await projectOfGeneration(ctx, ctx.userId, generationId))?._id ?? null,
});

async function ownProjects(ctx: QueryCtx & Caller): Promise<Doc<"projects">[]> {
  const own = await ctx.db
    .query("projects")
    .withIndex("by_owner", (q) => q.eq("ownerId", ctx.userId))
    .order("desc")
    .take(MAX_PROJECTS);
  return own.sort((a, b) => b.updatedAt - a.updatedAt);
}

/** Own projects, last updated first. */
export const get = ownerQuery({
  args: {},
  returns: v.array(project),
  handler: async (ctx) => await ownProjects(ctx),
});

export const getPartial = ownerQuery({
  args: { limit: v.number() },
  returns: v.array(project),
  handler: async (ctx, { limit }) => (await ownProjects(ctx)).slice(0, Math.max(0, limit)),
});

export const getById = ownerQuery({
  args: { id: v.string() },
  returns: project,
  handler: async (ctx, { id }) => await ownProject(ctx, id),
});

/** The newest `limit` lines of the log, oldest first. */
export const getGenerationEvents = ownerQuery({
  args: { projectId: v.string(), limit: v.optional(v.number()) },
  returns: v.array(documentOf("generationEvents", generationEventFields)),
  handler: async (ctx, { projectId, limit = DEFAULT_EVENTS }) => {
    const { _id } = await ownProject(ctx, projectId);
    const newestFirst = await ctx.db
      .query("generationEvents")
      .withIndex("by_project_created_at", (q) => q.eq("projectId", _id))
      .order("desc")
      .take(Math.min(Math.max(1, Math.floor(limit)), MAX_EVENTS));
    return newestFirst.reverse();
  },
});

/** How the project's generation stands; `label` is the step's name, or why it ended. */
export const getGeneration = ownerQuery({
  args: { projectId: v.string() },
  returns: v.object({
    generationId: v.optional(v.string()),
    status: generationStatus,
    step: v.number(),
    of: v.number(),
    label: v.string(),
  }),
  handler: async (ctx, { projectId }) =>
    await generationOf(ctx, (await ownProject(ctx, projectId))._id),
});

export const rename = ownerMutation({
  args: { id: v.string(), name: v.string() },
  returns: v.null(),
  handler: async (ctx, { id, name }) => {
    const project = await ownProject(ctx, id);
    await ctx.db.patch(project._id, { name: checkedName(name), updatedAt: nextUpdate(project) });
    return null;
  },
});

/** The project is gone at once; what belonged to it goes in batches. */
export const deleteProject = ownerMutation({
  args: { id: v.string() },
  returns: v.null(),
  handler: async (ctx, { id }) => {
    await removeProject(ctx, (await ownProject(ctx, id))._id);
    return null;
  },
});
