// The check of dead runs: a message says `processing` for as long as a run works on it, and a run
// can die without a word (a killed worker, a cancel on the runner's page). Here such a message gets
// its final status and keeps its partial text. It guesses nothing: a run that cannot be asked about
// is left alone.

import { api } from "../../convex/_generated/api.js";
import type { Doc } from "../../convex/_generated/dataModel.js";
import { FAILURE_TEXT } from "../../convex/model/messages.ts";
import { runner, type Store, store } from "./clients.ts";
import { reportDeadRun } from "./report.ts";

/** After this long a message without a run id was left behind by a server that died while sending. */
const NO_RUN_AFTER_MS = 60_000;
const TASK_ID = "process-message";

export interface RepairOptions {
  /** All messages of a project ... */
  projectId?: string | undefined;
  /** ... or one. */
  messageId?: string | undefined;
  /** Hears of each dead run once. Left out: it is reported to Sentry, if `SENTRY_DSN` is set. */
  onDeadRun?: OnDeadRun | undefined;
}

export type OnDeadRun = (dead: DeadRun) => void | Promise<void>;

/** A run that ended without a report of its own. */
export interface DeadRun {
  taskId: string;
  runId: string | undefined;
  messageId: string;
  /** The runner's status, or why there is none. */
  runStatus: string;
}

export interface Repaired {
  messageId: string;
  status: "failed" | "cancelled";
}

/**
 * Gives messages whose run is dead their final status.
 *
 * @throws the runner's error when it could not be asked about a run; the others are repaired.
 */
export async function repair({
  projectId,
  messageId,
  onDeadRun = reportDeadRun,
}: RepairOptions): Promise<{ repaired: Repaired[] }> {
  const data = store();
  const { runs } = runner();
  const repaired: Repaired[] = [];
  const failures: unknown[] = [];
  for (const message of await processing(data, { projectId, messageId })) {
    const end = await endOf(message, runs).catch((error: unknown) => {
      failures.push(error);
      return undefined;
    });
    if (end === undefined) continue;
    const applied = await finish(data, message, end);
    if (!applied) continue;
    repaired.push({ messageId: message._id, status: end.status });
    if (end.silent) {
      const { triggerRunId: runId, _id } = message;
      await onDeadRun({ taskId: TASK_ID, runId, messageId: _id, runStatus: end.runStatus });
    }
  }
  if (failures.length > 0) throw failures[0];
  return { repaired };
}

type Message = Doc<"messages">;

async function processing(
  { convex, key }: Store,
  { projectId, messageId }: Pick<RepairOptions, "projectId" | "messageId">,
): Promise<Message[]> {
  if (projectId !== undefined) {
    return await convex.query(api.system.getProcessingMessages, { ...key, projectId });
  }
  if (messageId === undefined) return [];
  const message = await convex.query(api.system.getMessageById, { ...key, messageId });
  return message?.status === "processing" ? [message] : [];
}

interface End {
  status: "failed" | "cancelled";
  runStatus: string;
  /** Nobody has reported it: the runner calls no hook for these. */
  silent: boolean;
}

/** How the message's run ended; undefined while it may still be at work. */
async function endOf(
  message: Message,
  runs: ReturnType<typeof runner>["runs"],
): Promise<End | undefined> {
  const { triggerRunId: runId } = message;
  if (runId === undefined) {
    if (Date.now() - message._creationTime < NO_RUN_AFTER_MS) return undefined;
    return { status: "failed", runStatus: "never started", silent: true };
  }
  try {
    const run = await runs.retrieve(runId);
    if (!run.isCompleted) return undefined;
    if (run.isCancelled) return { status: "cancelled", runStatus: run.status, silent: false };
    return { status: "failed", runStatus: run.status, silent: run.status !== "FAILED" };
  } catch (error) {
    if (isNotFound(error)) return { status: "failed", runStatus: "unknown", silent: true };
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "status" in error && error.status === 404;
}

/** A status that became final in the meantime stays: the functions refuse. */
async function finish(
  { convex, key }: Store,
  { _id: messageId, content }: Message,
  { status, runStatus }: End,
): Promise<boolean> {
  const { applied } =
    status === "cancelled"
      ? await convex.mutation(api.system.cancelMessage, { ...key, messageId })
      : await convex.mutation(api.system.updateMessageContent, {
          ...key,
          messageId,
          content: content === "" ? FAILURE_TEXT : content,
          status,
          error: { code: "RUN_LOST", message: `The run ended without a word (${runStatus}).` },
        });
  return applied;
}
