// What the log of a project says about its generation. The core writes the lines of the steps; the
// line that a generation is queued is written here, together with its project, and names the
// generation, so that the same one is never begun twice. Readers of the log rely on these texts.
import type { Doc, Id } from "../_generated/dataModel";
import type { MutationCtx, QueryCtx } from "../_generated/server";

/** The steps in their order, as the core runs them, with what a person calls them. */
export const GENERATION_STEPS = [
  ["generate-config-files", "Configuration"],
  ["generate-source-structure", "Source structure"],
  ["generate-components", "Components"],
  ["generate-pages", "Pages"],
  ["generate-hooks", "Hooks"],
  ["generate-types", "Types"],
  ["generate-utilities", "Utilities"],
  ["finalize-readme", "README"],
  ["verify-project", "Verification"],
] as const;

/** The extra step behind the ninth, for those who asked for it. */
const REPAIR_STEP = "repair-project";
const OF = GENERATION_STEPS.length;
const LAST_STEP = GENERATION_STEPS[OF - 1]?.[0];
/** Lines after the last one that tells: the files and calls of a step, or of later conversations. */
const MAX_LINES_LOOKED_AT = 500;
/** Projects looked at for a generation that was begun before; people repeat what they just did. */
const RECENT_PROJECTS = 20;
/** Lines of one generation at most, in search of its run. */
const MAX_LINES_OF_ONE = 10_000;

export type GenerationStatus = "none" | "running" | "completed" | "failed" | "cancelled";

export interface Generation {
  generationId?: string;
  status: GenerationStatus;
  /** 0 before the first step. */
  step: number;
  of: number;
  /** The step's name for people, or why the generation ended. */
  label: string;
}

const QUEUED = /^Generation queued \((\S+), plan (\w+)\)$/;
const STARTED = /^Generation started \((.+)\)$/;

/** What a generation is asked to be. Neither the id nor the plan's name has a space in it. */
export interface Request {
  generationId: string;
  plan: string;
  description: string;
}

type Line = Pick<Doc<"generationEvents">, "type" | "message"> & { preview?: string };

async function log(ctx: MutationCtx, projectId: Id<"projects">, line: Line): Promise<void> {
  await ctx.db.insert("generationEvents", { projectId, ...line, createdAt: Date.now() });
}

/** The log from its end, behind a time if one is given. */
export function newestFirst(ctx: QueryCtx, projectId: Id<"projects">, since = 0) {
  return ctx.db
    .query("generationEvents")
    .withIndex("by_project_created_at", (q) => q.eq("projectId", projectId).gt("createdAt", since))
    .order("desc");
}

/** The preview is the whole description: a generation that failed can be asked for again. */
export async function logQueued(
  ctx: MutationCtx,
  projectId: Id<"projects">,
  { generationId, plan, description }: Request,
): Promise<void> {
  const message = `Generation queued (${generationId}, plan ${plan})`;
  await log(ctx, projectId, { type: "info", message, preview: description });
}

/** What a generation was asked to be; null for a project that began without one. */
export async function requestOf(ctx: QueryCtx, projectId: Id<"projects">): Promise<Request | null> {
  const first = await ctx.db
    .query("generationEvents")
    .withIndex("by_project_created_at", (q) => q.eq("projectId", projectId))
    .first();
  const [, generationId, plan] = QUEUED.exec(first?.message ?? "") ?? [];
  if (generationId === undefined || plan === undefined) return null;
  return { generationId, plan, description: first?.preview ?? "" };
}

/** The run of the generation that was queued last, once it is known. */
export async function runOf(ctx: QueryCtx, projectId: Id<"projects">) {
  let lines = 0;
  for await (const { message } of newestFirst(ctx, projectId)) {
    const runId = STARTED.exec(message)?.[1];
    if (runId !== undefined) return runId;
    lines += 1;
    if (QUEUED.test(message) || lines === MAX_LINES_OF_ONE) break;
  }
  return undefined;
}

export async function stateOf(ctx: QueryCtx, projectId: Id<"projects">) {
  const { status } = await generationOf(ctx, projectId);
  const last = await newestFirst(ctx, projectId).first();
  const runId = await runOf(ctx, projectId);
  return {
    status,
    ...((await requestOf(ctx, projectId)) ?? {}),
    ...(runId === undefined ? {} : { runId }),
    ...(last === null ? {} : { updatedAt: last.createdAt }),
  };
}

/** Queues a project's generation once more, unless it is under way. */
export async function queueAgain(ctx: MutationCtx, projectId: Id<"projects">) {
  const request = await requestOf(ctx, projectId);
  if (request === null) return null;
  const isFree = (await generationOf(ctx, projectId)).status !== "running";
  if (isFree) await logQueued(ctx, projectId, request);
  return { ...request, queued: isFree };
}

/** Notes the run. The answer says whether the generation was stopped before there was one. */
export async function recordRun(
  ctx: MutationCtx,
  projectId: Id<"projects">,
  runId: string,
): Promise<{ status: GenerationStatus }> {
  const { status } = await generationOf(ctx, projectId);
  if ((await runOf(ctx, projectId)) !== runId) {
    await log(ctx, projectId, { type: "info", message: `Generation started (${runId})` });
  }
  return { status };
}

/** Ends a generation that has no run which could say so itself. */
export async function endGeneration(
  ctx: MutationCtx,
  projectId: Id<"projects">,
  end: { status: "cancelled" | "failed"; reason?: string | undefined },
): Promise<{ applied: boolean }> {
  if ((await generationOf(ctx, projectId)).status !== "running") return { applied: false };
  const reason = end.reason === undefined ? "" : `: ${end.reason}`;
  await log(
    ctx,
    projectId,
    end.status === "cancelled"
      ? { type: "info", message: `Generation cancelled${reason}` }
      : { type: "error", message: `Generation failed${reason}` },
  );
  return { applied: true };
}

/** Stops one that has no run yet; of others it names the run, which is to be cancelled. */
export async function stopGeneration(ctx: MutationCtx, projectId: Id<"projects">) {
  const { status } = await generationOf(ctx, projectId);
  const runId = await runOf(ctx, projectId);
  if (runId !== undefined) return { status, runId };
  const { applied } = await endGeneration(ctx, projectId, { status: "cancelled" });
  return { status: applied ? ("cancelled" as const) : status };
}

/** The caller's project that was begun for this generation. */
export async function projectOfGeneration(
  ctx: QueryCtx,
  ownerId: string,
  generationId: string,
): Promise<Doc<"projects"> | null> {
  const recent = await ctx.db
    .query("projects")
    .withIndex("by_owner", (q) => q.eq("ownerId", ownerId))
    .order("desc")
    .take(RECENT_PROJECTS);
  for (const project of recent) {
    if ((await requestOf(ctx, project._id))?.generationId === generationId) return project;
  }
  return null;
}

export async function generationOf(ctx: QueryCtx, projectId: Id<"projects">): Promise<Generation> {
  let lines = 0;
  for await (const event of newestFirst(ctx, projectId)) {
    const told = tells(event);
    if (told !== null) return told;
    lines += 1;
    if (lines === MAX_LINES_LOOKED_AT) break;
  }
  return { status: "none", step: 0, of: OF, label: "" };
}

/** What one line says about the generation; null: nothing. Pure. */
export function tells({ type, message }: Pick<Doc<"generationEvents">, "type" | "message">) {
  const at = (status: GenerationStatus, step: number, label: string): Generation => ({
    status,
    step,
    of: OF,
    label,
  });
  const queued = QUEUED.exec(message);
  if (queued !== null) {
    const [, generationId = ""] = queued;
    return { ...at("running", 0, "Queued"), generationId };
  }
  if (message.startsWith("Generation cancelled")) return at("cancelled", 0, "Cancelled");
  if (type === "error" && /^(Generation|Validation) failed/.test(message)) {
    return at("failed", 0, message);
  }
  if (type !== "step") return null;
  const [, verb, id] = /^(Starting|Completed) (\S+)$/.exec(message) ?? [];
  if (id === "validate-input") return at("running", 0, "Checking the description");
  if (id === REPAIR_STEP) {
    return verb === "Completed" ? at("completed", OF, "Completed") : at("running", OF, "Repair");
  }
  const index = GENERATION_STEPS.findIndex(([step]) => step === id);
  if (index === -1) return null;
  if (verb === "Completed" && id === LAST_STEP) return at("completed", OF, "Completed");
  return at("running", index + 1, GENERATION_STEPS[index]?.[1] ?? "");
}
