// Makes one Sentry event of one failed run. Only named fields go into it; the payload is not one, and
// values of secret variables are cut out of every text.

import * as Sentry from "@sentry/node";
import { PolarisError } from "polaris-agent";

const FLUSH_MS = 2_000;

/** Begins to report to `dsn`; Node owns transport and flush, the core only records. */
export function startReports(dsn: string, environment: string, options: Sentry.NodeOptions = {}) {
  Sentry.init({
    dsn,
    environment,
    // The defaults patch the process (console, HTTP, uncaught errors, modules as they load) and would
    // report on their own; the runtime owns OpenTelemetry.
    defaultIntegrations: false,
    integrations: [Sentry.linkedErrorsIntegration()],
    enableOpenTelemetrySetup: false,
    enableRuntimeChannelInjection: false,
    ...options,
  });
}

/** Waits until what was reported has been sent, or two seconds. */
export async function flush(): Promise<void> {
  await Sentry.flush(FLUSH_MS);
}

export interface FailedRun {
  taskId: string;
  runId: string;
  attempt?: number;
  error: unknown;
}

/** Reports a failed run; a cancelled one is none. */
export function report({ taskId, runId, attempt, error }: FailedRun): void {
  const original = originalOf(error);
  const known = original instanceof PolarisError ? original : undefined;
  if (known?.code === "CANCELLED") return;
  Sentry.withScope((scope) => {
    scope.setTags({ taskId, runId, ...(known ? { code: known.code } : {}) });
    scope.setExtras({
      taskId,
      runId,
      attempt,
      code: known?.code,
      retryable: known?.retryable,
      httpStatus: known?.status,
      hint: known?.hint,
    });
    for (const { category, message, level, type, timestamp, data } of known?.breadcrumbs ?? []) {
      scope.addBreadcrumb({
        ...(category === undefined ? {} : { category }),
        ...(message === undefined ? {} : { message: withoutSecrets(message) }),
        ...(type === undefined ? {} : { type }),
        ...(isLevel(level) ? { level } : {}),
        timestamp,
        data: data ?? {},
      });
    }
    scope.addEventProcessor((event) => {
      for (const exception of event.exception?.values ?? []) {
        if (exception.value !== undefined) exception.value = withoutSecrets(exception.value);
      }
      return event;
    });
    scope.captureException(original, { mechanism: { type: "trigger", handled: false } });
  });
}

/** The hand-over wraps what the core threw. */
function originalOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof PolarisError ? error.cause : error;
}

const LEVELS = ["fatal", "error", "warning", "log", "info", "debug"] as const;

function isLevel(level: string | undefined): level is (typeof LEVELS)[number] {
  return LEVELS.some((known) => known === level);
}

const SECRET_NAME = /(KEY|SECRET|TOKEN|PASSWORD|DSN)$/;
/** Shorter values would cut ordinary words. */
const MIN_SECRET_LENGTH = 8;

/** The core names no secret in a message; this is the second lock. */
export function withoutSecrets(text: string): string {
  let clean = text;
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || value.length < MIN_SECRET_LENGTH || !SECRET_NAME.test(name))
      continue;
    clean = clean.replaceAll(value, `[${name}]`);
  }
  return clean;
}
