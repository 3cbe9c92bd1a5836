// Spans and logs of runs. Bounded per run: a task that logs in a loop must not fill the disk.

import type { Database } from "./database.ts";

export interface Span {
  runId: string;
  traceId: string;
  spanId: string;
  parentId: string | null;
  name: string;
  /** Nanoseconds since 1970, as decimal text: they do not fit a number. */
  startNs: string;
  endNs: string;
  status: "UNSET" | "OK" | "ERROR";
  attributes: Record<string, unknown>;
  events: { name: string; timeNs: string; attributes: Record<string, unknown> }[];
  /** Announced at its start; replaced when the span ends. */
  partial: boolean;
}

export interface Log {
  runId: string;
  /** What the task logged, or what the CLI reports about its own protocol. */
  kind: "log" | "debug";
  timeNs: string;
  severity: string;
  body: string;
  attributes: Record<string, unknown>;
  spanId: string | null;
}

const MAX_SPANS_PER_RUN = 5_000;
const MAX_LOGS_PER_RUN = 5_000;

export function addSpan(db: Database, span: Span): void {
  // An ended span is never replaced by its own announcement that was overtaken.
  const guard = span.partial ? "do nothing" : UPDATE;
  const count = db.get("select count(*) as n from spans where run_id = ?", [span.runId]);
  if (Number(count?.n ?? 0) >= MAX_SPANS_PER_RUN) return;
  db.run(
    `insert into spans (run_id, trace_id, span_id, parent_id, name, start_ns, end_ns, status,
       attributes, events, partial)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (run_id, span_id) ${guard}`,
    [
      span.runId,
      span.traceId,
      span.spanId,
      span.parentId,
      span.name,
      span.startNs,
      span.endNs,
      span.status,
      JSON.stringify(span.attributes),
      JSON.stringify(span.events),
      span.partial ? 1 : 0,
    ],
  );
}

const UPDATE = `do update set name = excluded.name, end_ns = excluded.end_ns,
  status = excluded.status, attributes = excluded.attributes, events = excluded.events, partial = 0`;

export function addLog(db: Database, log: Log): void {
  const count = db.get("select count(*) as n from logs where run_id = ?", [log.runId]);
  if (Number(count?.n ?? 0) >= MAX_LOGS_PER_RUN) return;
  db.run(
    `insert into logs (run_id, kind, time_ns, severity, body, attributes, span_id)
     values (?, ?, ?, ?, ?, ?, ?)`,
    [
      log.runId,
      log.kind,
      log.timeNs,
      log.severity,
      log.body,
      JSON.stringify(log.attributes),
      log.spanId,
    ],
  );
}

export function spansOf(db: Database, runId: string): Span[] {
  return db
    .all("select * from spans where run_id = ? order by length(start_ns), start_ns", [runId])
    .map((row) => ({
      runId,
      traceId: String(row.trace_id),
      spanId: String(row.span_id),
      parentId: row.parent_id === null ? null : String(row.parent_id),
      name: String(row.name),
      startNs: String(row.start_ns),
      endNs: String(row.end_ns),
      status: String(row.status) as Span["status"],
      attributes: JSON.parse(String(row.attributes)) as Span["attributes"],
      events: JSON.parse(String(row.events)) as Span["events"],
      partial: row.partial === 1,
    }));
}

export function logsOf(db: Database, runId: string, kind?: Log["kind"]): Log[] {
  const rows =
    kind === undefined
      ? db.all("select * from logs where run_id = ? order by seq", [runId])
      : db.all("select * from logs where run_id = ? and kind = ? order by seq", [runId, kind]);
  return rows.map((row) => ({
    runId,
    kind: String(row.kind) as Log["kind"],
    timeNs: String(row.time_ns),
    severity: String(row.severity),
    body: String(row.body),
    attributes: JSON.parse(String(row.attributes)) as Log["attributes"],
    spanId: row.span_id === null ? null : String(row.span_id),
  }));
}
