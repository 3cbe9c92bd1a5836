// Reports to Sentry a run that died without a word: nobody else does, since the runner calls no hook
// for a killed worker. One event with names and ids; no text of a message and no secret is in it. The
// client is its own, so that it neither needs nor disturbs one of the host.

import type { DeadRun } from "./repair.ts";
import { variable } from "./variables.ts";

/** How long a route may wait for the report. */
const FLUSH_MS = 2_000;

/** Sends the event, if `SENTRY_DSN` is set; never throws. */
export async function reportDeadRun(dead: DeadRun): Promise<void> {
  const dsn = variable("SENTRY_DSN");
  if (dsn === undefined) return;
  try {
    // Only here: most servers never find a dead run.
    const sentry = await import("@sentry/node");
    const client = new sentry.NodeClient({
      dsn,
      environment: variable("NODE_ENV") ?? "development",
      integrations: [],
      stackParser: sentry.defaultStackParser,
      transport: sentry.makeNodeTransport,
    });
    const { taskId, runId, messageId, runStatus } = dead;
    const scope = new sentry.Scope();
    scope.setClient(client);
    scope.setTags({ taskId, code: "RUN_LOST", ...(runId === undefined ? {} : { runId }) });
    scope.setExtras({ taskId, runId, messageId, runStatus });
    const error = new Error(`a run of ${taskId} ended without a word (${runStatus})`);
    error.name = "DeadRun";
    scope.captureException(error, { mechanism: { type: "repair", handled: false } });
    await client.close(FLUSH_MS);
  } catch {
    // A report that fails must not keep a message from its end.
  }
}
