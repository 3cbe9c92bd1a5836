// Sending a message and cancelling one: what a route, a command or a test does for a user. The
// answer itself is the task's work; here a message gets its rows and its run. Who may do it is the
// caller's question. Data come from Convex and the runner, and go there; nothing is kept here.

import { idempotencyKeys } from "@trigger.dev/sdk";
import type { processMessage } from "../../../trigger/tasks/process-message.ts";
import { api } from "../../convex/_generated/api.js";
import { FAILURE_TEXT } from "../../convex/model/messages.ts";
import { runner, type Store, store } from "./clients.ts";
import { known, MessageError } from "./errors.ts";
import { type OnDeadRun, repair } from "./repair.ts";

export { MessageError, type MessageErrorCode } from "./errors.ts";
export { type DeadRun, type Repaired, repair } from "./repair.ts";

type Status = "processing" | "completed" | "failed" | "cancelled";

export type SendOptions = {
  /** Whose conversation it must be; absent: anyone's, for commands and tests. */
  ownerId?: string | undefined;
  /** Hears of runs that were found dead on the way; see `repair`. */
  onDeadRun?: OnDeadRun | undefined;
} & (
  | { conversationId: string; message: string }
  /** Asks for the conversation's last answer, which failed, once more. */
  | { retryOf: string }
);

/**
 * Stores the user's message and an empty answer, and starts the run that fills it.
 *
 * @throws {MessageError} `MESSAGE_IN_PROGRESS` while another answer of the project is under way.
 */
export async function send(options: SendOptions): Promise<{ messageId: string; runId: string }> {
  // Both before the first write: a missing variable must leave no message behind.
  const [data, { tasks, runs }] = [store(), runner()];
  const { convex, key } = data;
  const { messageId, projectId } = await start(data, options);

  let runId: string;
  try {
    const run = await tasks.trigger<typeof processMessage>(
      "process-message",
      { messageId },
      {
        // A repeat after a lost answer must not start a second run.
        idempotencyKey: await idempotencyKeys.create(messageId, { scope: "global" }),
        tags: [`project_${projectId}`],
      },
    );
    runId = run.id;
  } catch (error) {
    await convex.mutation(api.system.updateMessageContent, {
      ...key,
      messageId,
      content: FAILURE_TEXT,
      status: "failed",
      error: { code: "TRIGGER_FAILED", message: "The job could not be started." },
    });
    throw new MessageError("TRIGGER_FAILED", "the run could not be started", {
      messageId,
      cause: error,
    });
  }

  const { status } = await convex.mutation(api.system.updateMessageTriggerRunId, {
    ...key,
    messageId,
    triggerRunId: runId,
  });
  // Cancelled before the run id was there to cancel by.
  if (status === "cancelled") await runs.cancel(runId);
  return { messageId, runId };
}

/** A message under way is in the way only while its run lives. */
async function start(
  { convex, key }: Store,
  { onDeadRun, ownerId, ...wanted }: SendOptions,
): Promise<{ messageId: string; projectId: string }> {
  const tryTo = async () => {
    try {
      return await convex.mutation(api.system.startMessage, {
        ...key,
        ...wanted,
        ...(ownerId === undefined ? {} : { ownerId }),
      });
    } catch (error) {
      throw known(error);
    }
  };
  const first = await tryTo();
  if (first.state === "started") return first;
  let cause: unknown;
  await repair({ projectId: first.projectId, onDeadRun }).catch((error: unknown) => {
    cause = error;
  });
  const second = await tryTo();
  if (second.state === "started") return second;
  throw new MessageError("MESSAGE_IN_PROGRESS", "a message is already being processed", {
    messageId: second.messageId,
    cause,
  });
}

/**
 * Cancels a message: its status first, which every writer respects, then its run. On a message that
 * is final already it changes nothing.
 *
 * @returns the message's status now, which need not be `cancelled`; `runCancelled: false` when a run
 * could not be reached. Such a run stops by itself at its next write.
 */
export async function cancel({
  messageId,
  ownerId,
}: {
  messageId: string;
  /** Whose message it must be; absent: anyone's, for commands and tests. */
  ownerId?: string | undefined;
}): Promise<{ status: Status; runCancelled: boolean }> {
  const [{ convex, key }, { runs }] = [store(), runner()];
  let runId: string | undefined;
  try {
    if (ownerId !== undefined) {
      const own = await convex.query(api.system.getOwnedMessage, { ...key, messageId, ownerId });
      if (own === null) throw new MessageError("MESSAGE_NOT_FOUND", "there is no such message");
    }
    const { status } = await convex.mutation(api.system.cancelMessage, { ...key, messageId });
    // A message that was cancelled before goes on: its run may have been out of reach then.
    if (status !== "cancelled") return { status, runCancelled: false };
    // Read after the status was set: a run id that is stored later is cancelled by `send`.
    const message = await convex.query(api.system.getMessageById, { ...key, messageId });
    runId = message?.triggerRunId;
  } catch (error) {
    throw known(error);
  }
  const status = "cancelled";
  if (runId === undefined) return { status, runCancelled: false };
  try {
    await runs.cancel(runId);
    return { status, runCancelled: true };
  } catch {
    return { status, runCancelled: false };
  }
}
