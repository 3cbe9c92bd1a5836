// For an app that has moved here from another runner: ends the messages that wait for a run which no
// longer comes. `npx convex run settle:messages`, once, after the functions were deployed. A message
// whose run is known, or whose lease a run holds, is left alone, and so is a new one, whose run may be
// about to be recorded.
import { v } from "convex/values";
import { internal } from "./_generated/api";
import { internalMutation } from "./_generated/server";
import { journalOf } from "./model/journal";
import { failMessage, isFinal, statusOf } from "./model/messages";

/** Documents of one transaction: far below what one may read, even if each is as large as it can be. */
const BATCH = 8;
/** From storing a message to recording its run takes a request to the runner. */
const NEW_MS = 60_000;

export const messages = internalMutation({
  args: {
    /** Where the batch before ended. */
    cursor: v.optional(v.string()),
    /** Epoch milliseconds: messages from then on are new. */
    before: v.optional(v.number()),
    settled: v.optional(v.number()),
  },
  returns: v.object({ settled: v.number(), done: v.boolean() }),
  handler: async (
    ctx,
    { cursor = null, before = Date.now() - NEW_MS, settled = 0 },
  ): Promise<{ settled: number; done: boolean }> => {
    const page = await ctx.db.query("messages").order("asc").paginate({ cursor, numItems: BATCH });
    let count = settled;
    for (const message of page.page) {
      if (message.role !== "assistant" || isFinal(statusOf(message))) continue;
      if (message.triggerRunId !== undefined || journalOf(message.toolCalls) !== undefined)
        continue;
      if (message._creationTime >= before) continue;
      await failMessage(ctx, message, {
        code: "RUN_LOST",
        message: "It was being answered when the app moved to another runner.",
      });
      count++;
    }
    const isLast = page.isDone || (page.page.at(-1)?._creationTime ?? 0) >= before;
    if (!isLast) {
      const next = { cursor: page.continueCursor, before, settled: count };
      await ctx.scheduler.runAfter(0, internal.settle.messages, next);
    } else console.log(`settled ${count} message(s)`);
    return { settled: count, done: isLast };
  },
});
