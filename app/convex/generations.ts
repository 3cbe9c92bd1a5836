// No generation ends without a word: each one has itself looked at when its log has been quiet for too
// long. What its run is doing only the runner knows, and no key of the runner is here; so silence
// decides (see model/silence.ts).
import { v } from "convex/values";
import { internal } from "./_generated/api";
import { internalMutation } from "./_generated/server";
import { newestFirst } from "./model/generation";
import { reportDeadRun } from "./model/report";
import { LOST, look } from "./model/silence";

/** More lines than a generation writes in any one stretch between two looks. */
const NEWEST_LINES = 1_000;
/** The deployment's clock and the scheduler's are not the same to the millisecond. */
const GRACE_MS = 1_000;

export const check = internalMutation({
  args: { projectId: v.id("projects"), since: v.number() },
  returns: v.null(),
  handler: async (ctx, { projectId, since }): Promise<null> => {
    if ((await ctx.db.get(projectId)) === null) return null;
    const log = await newestFirst(ctx, projectId, since).take(NEWEST_LINES);
    const now = Date.now();
    const found = look(log, since, now);
    if (found === "lost") {
      await ctx.db.insert("generationEvents", {
        projectId,
        type: "error",
        message: LOST,
        createdAt: now,
      });
      await reportDeadRun(ctx, {
        taskId: "generate-project",
        projectId,
        runStatus: "its log fell silent",
      });
    } else if (found !== "over") {
      const delay = found.lookAgainInMs + GRACE_MS;
      await ctx.scheduler.runAfter(delay, internal.generations.check, { projectId, since });
    }
    return null;
  },
});
