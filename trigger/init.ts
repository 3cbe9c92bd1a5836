// Loaded by the runtime once per worker process, before a task. Reports a run that failed for good to
// Sentry, exactly once: the core records, this reports. No payload and no secret leaves with it.
//
// Not reported: attempts that will be retried, and cancelled runs. The runtime calls no hook for a
// worker that was killed; the check of dead runs finds those.

import { tasks } from "@trigger.dev/sdk";
import { variable } from "./variables.ts";

const dsn = variable("SENTRY_DSN");
if (dsn !== undefined) {
  // Only here: loading Sentry takes a good part of a cold worker's start.
  const { flush, report, startReports } = await import("./report.ts");
  startReports(dsn, variable("NODE_ENV") ?? "development");
  tasks.onFailure("sentry", async ({ ctx, error }) => {
    report({ taskId: ctx.task.id, runId: ctx.run.id, attempt: ctx.attempt.number, error });
    // The process may be frozen or killed as soon as the run is over.
    await flush();
  });
}
