// What a person does with the generation of a project: begins one, stops it, begins it again where it
// failed. Billing is asked before anything is made, and a generation that the runner does not take is
// failed in the project's log, never left as running. Data come from Convex, the runner and billing.

import { randomUUID } from "node:crypto";
import { api } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import type { Billing } from "../billing/index.ts";
import { runner, type Store, store, userStore } from "./clients.ts";
import { known, MessageError } from "./errors.ts";
import { cancelGeneration, generate } from "./generations.ts";
import { cancel } from "./messages.ts";
import { requireRoom } from "./plan.ts";

export { NotAllowed } from "./plan.ts";

type Plan = "default" | "general";

export interface NewGeneration {
  /** The user's own token: the project is made by them, not by the server. */
  token: string;
  userId: string;
  name: string;
  description: string;
  plan: Plan;
  /** The same id again is the same project and the same run. Default: a new one. */
  generationId?: string | undefined;
  billing: Billing;
  /** Gives the project back to the user's allowance when the runner does not take the job. */
  giveBack?: boolean;
}

export interface Begun {
  projectId: string;
  runId: string;
}

/** After this long without a run, the server that began the generation is dead. */
const NO_RUN_AFTER_MS = 60_000;

/**
 * Makes a project and starts the run that fills it.
 *
 * @throws {NotAllowed} before anything was made (plan.ts).
 * @throws {MessageError} `TRIGGER_FAILED`: the project is there, its generation failed.
 */
export async function beginGeneration(wanted: NewGeneration): Promise<Begun> {
  // Before anything is made: a missing variable must leave no project behind.
  const data = store();
  runner();
  const { billing, userId, token, generationId = randomUUID() } = wanted;
  const { name, plan, description } = wanted;
  const asUser = userStore(token);
  // What was begun before is not another project, whatever the limit says by now.
  const before =
    wanted.generationId === undefined
      ? null
      : await asUser.query(api.projects.getByGeneration, { generationId });
  if (before !== null) return await goOn(data, before);

  await requireRoom(billing, { userId, token });
  const made = await asUser
    .mutation(api.projects.createForGeneration, { name, generationId, plan, description })
    .catch((error: unknown) => {
      throw known(error);
    });
  if (!made.isNew) return await goOn(data, made.projectId);
  const { projectId } = made;
  await billing.track(userId, 1).catch(async (cause: unknown) => {
    await failed(data, projectId, "billing could not be asked");
    throw cause;
  });
  try {
    return await trigger(data, { projectId, generationId, plan, description });
  } catch (error) {
    if (wanted.giveBack === true) await billing.track(userId, -1).catch(() => undefined);
    throw error;
  }
}

/** The answer to the same request again: what it led to, or what it would have led to. */
async function goOn(data: Store, projectId: Id<"projects">): Promise<Begun> {
  const { convex, key } = data;
  const { runId } = await convex.query(api.system.getGeneration, { ...key, projectId });
  if (runId !== undefined) return { projectId, runId };
  const request = await convex.mutation(api.system.queueGenerationAgain, { ...key, projectId });
  if (request === null) throw noGeneration();
  return await trigger(data, { ...request, projectId, plan: planOf(request.plan) });
}

/**
 * Starts a generation that failed or was cancelled once more, behind its last finished step.
 *
 * @throws {MessageError} `GENERATION_IN_PROGRESS` while it is under way.
 */
export async function retryGeneration(where: {
  projectId: string;
  userId: string;
}): Promise<Begun> {
  const data = store();
  const projectId = await ownProject(data, where);
  await repairGeneration(projectId);
  const { convex, key } = data;
  const request = await convex.mutation(api.system.queueGenerationAgain, { ...key, projectId });
  if (request === null) throw noGeneration();
  if (!request.queued) {
    throw new MessageError("GENERATION_IN_PROGRESS", "the generation is under way", { projectId });
  }
  return await trigger(data, { ...request, projectId, plan: planOf(request.plan) });
}

/** Stops a generation at once; files that it wrote stay. On one that has ended it changes nothing. */
export async function stopGeneration(where: {
  projectId: string;
  userId: string;
}): Promise<{ status: string }> {
  const data = store();
  const { convex, key } = data;
  const projectId = await ownProject(data, where);
  const { status, runId } = await convex.mutation(api.system.stopGeneration, { ...key, projectId });
  // Without a run yet, it is cancelled by now, and the run is cancelled as soon as it is known.
  if (runId === undefined || (status !== "running" && status !== "cancelled")) return { status };
  const { runCancelled } = await cancelGeneration({ runId });
  if (runCancelled) return { status: "cancelled" };
  await repairGeneration(projectId);
  const now = await convex.query(api.system.getGeneration, { ...key, projectId });
  return { status: now.status };
}

/** Stops everything that works on a project, before it is deleted. What cannot be reached ends by itself. */
export async function stopWork(where: { projectId: string; userId: string }): Promise<void> {
  const data = store();
  const { convex, key } = data;
  const projectId = await ownProject(data, where);
  const answering = await convex.query(api.system.getProcessingMessages, { ...key, projectId });
  const stops = answering.map(({ _id }) => cancel({ messageId: _id }) as Promise<unknown>);
  stops.push(stopGeneration(where));
  for (const stopped of await Promise.allSettled(stops)) {
    if (stopped.status === "rejected") console.error("A job was not stopped:", stopped.reason);
  }
}

/** Ends, in the project's log, a generation whose run is dead. It guesses nothing. */
export async function repairGeneration(
  projectId: string,
): Promise<{ repaired: "failed" | "cancelled" | undefined }> {
  const { convex, key } = store();
  const now = await convex.query(api.system.getGeneration, { ...key, projectId });
  if (now.status !== "running") return { repaired: undefined };
  const end = await endOf(now.runId, now.updatedAt ?? 0);
  if (end === undefined) return { repaired: undefined };
  const { applied } = await convex.mutation(api.system.endGeneration, {
    ...key,
    projectId,
    ...end,
  });
  return { repaired: applied ? end.status : undefined };
}

async function endOf(runId: string | undefined, updatedAt: number) {
  if (runId === undefined) {
    if (Date.now() - updatedAt < NO_RUN_AFTER_MS) return undefined;
    return { status: "failed" as const, reason: "the job was never started" };
  }
  const run = await runner().runs.retrieve(runId);
  if (!run.isCompleted) return undefined;
  if (run.isCancelled) return { status: "cancelled" as const };
  // One that succeeded has said so in its last line.
  if (run.isSuccess) return undefined;
  return { status: "failed" as const, reason: `the run ended without a word (${run.status})` };
}

async function trigger(
  data: Store,
  wanted: { projectId: string; generationId: string; plan: Plan; description: string },
): Promise<Begun> {
  const { convex, key } = data;
  const { projectId } = wanted;
  let runId: string;
  try {
    ({ runId } = await generate(wanted));
  } catch (error) {
    await failed(data, projectId, "the job could not be started");
    if (!(error instanceof MessageError)) throw error;
    throw new MessageError(error.code, error.message, { projectId, cause: error.cause });
  }
  const run = { projectId, runId };
  const { status } = await convex.mutation(api.system.recordGenerationRun, { ...key, ...run });
  // Stopped before the run was there to be cancelled.
  if (status === "cancelled") await runner().runs.cancel(runId);
  return run;
}

async function failed({ convex, key }: Store, projectId: string, reason: string): Promise<void> {
  const end = { status: "failed" as const, reason };
  await convex.mutation(api.system.endGeneration, { ...key, projectId, ...end });
}

async function ownProject(
  { convex, key }: Store,
  { projectId, userId: ownerId }: { projectId: string; userId: string },
): Promise<Id<"projects">> {
  const own = await convex.query(api.system.getOwnedProject, { ...key, projectId, ownerId });
  if (own === null) throw new MessageError("PROJECT_NOT_FOUND", "there is no such project");
  return own._id;
}

function noGeneration(): MessageError {
  return new MessageError("NO_GENERATION", "This project did not begin with a generation.");
}

function planOf(name: string): Plan {
  return name === "general" ? "general" : "default";
}
