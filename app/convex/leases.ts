// No message stays `processing` for ever: each one is looked at again when its run's lease is over.
// A run that lives renews the lease with every write, so an expired one means that nobody works on
// the message any more, and it becomes failed. A run that has not begun has no lease; whether it
// still waits in the runner's queue only the runner knows (see `repair` of the host).
import { v } from "convex/values";
import { internal } from "./_generated/api";
import { internalMutation } from "./_generated/server";
import { journalOf, LEASE_MS } from "./model/journal";
import { failMessage, isFinal, statusOf } from "./model/messages";
import { reportDeadRun } from "./model/report";

/** A run may wait this long for its turn; Trigger.dev's own limit for queued runs is 14 days. */
const MAX_QUEUED_MS = 24 * 60 * 60 * 1000;
/** The deployment's clock and the scheduler's are not the same to the millisecond. */
const GRACE_MS = 1_000;

export const check = internalMutation({
  args: { messageId: v.id("messages") },
  returns: v.null(),
  handler: async (ctx, { messageId }): Promise<null> => {
    const message = await ctx.db.get(messageId);
    if (message === null || isFinal(statusOf(message))) return null;
    const now = Date.now();
    const lease = journalOf(message.toolCalls)?.lease;
    const waiting = lease === undefined && now - message._creationTime < MAX_QUEUED_MS;
    if (waiting || (lease !== undefined && lease > now)) {
      const next = lease === undefined ? LEASE_MS : lease - now + GRACE_MS;
      await ctx.scheduler.runAfter(next, internal.leases.check, { messageId });
      return null;
    }
    await failMessage(ctx, message, {
      code: lease === undefined ? "RUN_NEVER_STARTED" : "RUN_LOST",
      message:
        lease === undefined
          ? "The run did not start within a day."
          : "The run ended without a word: its worker was killed or lost its connection.",
    });
    await reportDeadRun(ctx, {
      taskId: "process-message",
      ...(message.triggerRunId === undefined ? {} : { runId: message.triggerRunId }),
      messageId,
      runStatus: lease === undefined ? "never started" : "its lease expired",
    });
    return null;
  },
});
