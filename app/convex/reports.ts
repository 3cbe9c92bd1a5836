// Sends to Sentry what the deployment found by itself. An action runs at most once, and a report that
// fails changes nothing else.
import { v } from "convex/values";
import { internalAction } from "./_generated/server";
import { sentryRequest } from "./model/report";

export const deadRun = internalAction({
  args: {
    taskId: v.string(),
    runId: v.optional(v.string()),
    messageId: v.optional(v.string()),
    projectId: v.optional(v.string()),
    runStatus: v.string(),
  },
  returns: v.null(),
  handler: async (_ctx, dead): Promise<null> => {
    const dsn = process.env.SENTRY_DSN ?? "";
    const request = sentryRequest(dsn, dead, new Date(), crypto.randomUUID().replaceAll("-", ""));
    if (request === null) {
      console.error("SENTRY_DSN of this deployment is not a DSN: https://KEY@HOST/PROJECT");
      return null;
    }
    const { status } = await fetch(request.url, {
      method: "POST",
      headers: { "content-type": "application/x-sentry-envelope" },
      body: request.body,
    });
    if (status !== 200) console.error(`Sentry answered ${status} to the report of a dead run`);
    return null;
  },
});
