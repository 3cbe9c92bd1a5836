// A run that the deployment itself found dead, as one event for Sentry. The mutation that gives the
// message its end schedules the report in the same transaction, so that whoever finds the run reports
// it, and nobody else does. Names and ids only; no text of a message is in it.
import { internal } from "../_generated/api";
import type { MutationCtx } from "../_generated/server";

/** What a person can look the run up by. */
export interface DeadRun {
  taskId: string;
  runId?: string;
  messageId?: string;
  projectId?: string;
  /** How it was found. */
  runStatus: string;
}

/** Has the run reported, if the deployment has a `SENTRY_DSN`. */
export async function reportDeadRun(ctx: MutationCtx, dead: DeadRun): Promise<void> {
  if (!process.env.SENTRY_DSN) return;
  await ctx.scheduler.runAfter(0, internal.reports.deadRun, { ...dead });
}

/**
 * Where an event for this DSN goes, and what is sent there
 * (https://develop.sentry.dev/sdk/data-model/envelopes). Null: it is no DSN.
 */
export function sentryRequest(
  dsn: string,
  dead: DeadRun,
  now: Date,
  eventId: string,
): { url: string; body: string } | null {
  const match = /^(https?):\/\/([^:@/]+)(?::[^@/]*)?@([^/]+)((?:\/[^/]+)*)\/(\w+)$/.exec(dsn);
  if (match === null) return null;
  const [, scheme, key, host, folder, project] = match;
  const { taskId, runId, runStatus } = dead;
  const event = {
    event_id: eventId,
    timestamp: now.getTime() / 1_000,
    platform: "node",
    level: "error",
    environment: "convex",
    // As the servers of the host report it: both are one issue.
    tags: { taskId, code: "RUN_LOST", ...(runId === undefined ? {} : { runId }) },
    extra: dead,
    exception: {
      values: [
        {
          type: "DeadRun",
          value: `a run of ${taskId} ended without a word (${runStatus})`,
          mechanism: { type: "lease", handled: false },
        },
      ],
    },
  };
  const lines = [{ event_id: eventId, sent_at: now.toISOString() }, { type: "event" }, event];
  return {
    url: `${scheme}://${host}${folder}/api/${project}/envelope/?sentry_version=7&sentry_key=${key}`,
    body: lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
  };
}
