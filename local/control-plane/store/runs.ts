// Runs as the engine sees them, and the queries that the API needs. No decisions are made here.

import type { TaskRunError } from "@trigger.dev/core/v3";
import type { RunState } from "../runs/state.ts";
import type { Database, Row, Value } from "./database.ts";

/** What is known about a run beside its state; set at trigger time or when it is first dequeued. */
export interface RunFacts {
  machine?: string;
  maxAttempts?: number;
  maxDuration?: number;
  /** The task's `retry` at the first dequeue, as the official engine locks it to the run. */
  retryConfig?: unknown;
  version?: string;
  queue: string;
  concurrencyKey?: string;
  idempotencyKey?: string;
  idempotencyKeyOptions?: { key: string; scope: "run" | "attempt" | "global" };
  lockToVersion?: string;
  ttl?: string;
  delayUntil?: number;
  priority?: number;
  isTest: boolean;
  replayOf?: string;
  /** As it was given at the trigger: what a replay begins with. */
  seedMetadata?: Record<string, unknown>;
  /** The batch that it was triggered with. */
  batchId?: string;
  depth: number;
  spanId: string;
  parentSpanId?: string;
  /** First dequeue. */
  startedAt?: number;
  expiredAt?: number;
  durationMs: number;
  resumeParentOnCompletion: boolean;
}

export interface Run {
  id: string;
  seq: number;
  task: string;
  branch: string | null;
  state: RunState;
  facts: RunFacts;
  payload: string | null;
  payloadType: string;
  output: string | null;
  outputType: string | null;
  error: TaskRunError | null;
  metadata: Record<string, unknown> | null;
  parentId: string | null;
  rootId: string | null;
  traceId: string;
  workerId: string | null;
  queuedAt: number;
  createdAt: number;
  updatedAt: number;
  finishedAt: number | null;
}

export interface Attempt {
  number: number;
  startedAt: number;
  finishedAt: number | null;
  status: string;
  machine: string | null;
  error: TaskRunError | null;
}

export interface Snapshot {
  id: string;
  runId: string;
  execution: string;
  runStatus: string;
  attempt: number;
  description: string;
  createdAt: number;
}

export interface RunFilter {
  statuses?: string[];
  tasks?: string[];
  tags?: string[];
  versions?: string[];
  isTest?: boolean;
  from?: number;
  to?: number;
  after?: string;
  before?: string;
  limit: number;
}

export function insertRun(db: Database, run: Omit<Run, "seq">, priorityMs: number): void {
  db.run(
    `insert into runs (id, task, branch, queue, concurrency_key, status, execution, snapshot_id, queued_at, priority_ms,
       not_before, deadline, worker_id, state, facts, payload, payload_type, output, output_type,
       error, metadata, parent_id, root_id, trace_id, created_at, updated_at, finished_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      run.id,
      run.task,
      run.branch,
      run.facts.queue,
      run.facts.concurrencyKey ?? "",
      run.state.status,
      run.state.execution,
      run.state.snapshotId,
      run.queuedAt,
      priorityMs,
      run.state.notBefore,
      run.state.deadline,
      run.workerId,
      JSON.stringify(run.state),
      JSON.stringify(run.facts),
      run.payload,
      run.payloadType,
      run.output,
      run.outputType,
      json(run.error),
      json(run.metadata),
      run.parentId,
      run.rootId,
      run.traceId,
      run.createdAt,
      run.updatedAt,
      run.finishedAt,
    ],
  );
}

export function updateRun(db: Database, run: Run): void {
  db.run(
    `update runs set status = ?, execution = ?, snapshot_id = ?, queued_at = ?, not_before = ?,
       deadline = ?, worker_id = ?, state = ?, facts = ?, output = ?, output_type = ?, error = ?,
       metadata = ?, updated_at = ?, finished_at = ? where id = ?`,
    [
      run.state.status,
      run.state.execution,
      run.state.snapshotId,
      run.queuedAt,
      run.state.notBefore,
      run.state.deadline,
      run.workerId,
      JSON.stringify(run.state),
      JSON.stringify(run.facts),
      run.output,
      run.outputType,
      json(run.error),
      json(run.metadata),
      run.updatedAt,
      run.finishedAt,
      run.id,
    ],
  );
}

export function findRun(db: Database, id: string): Run | undefined {
  const row = db.get("select * from runs where id = ?", [id]);
  return row && toRun(row);
}

export function findRunIdByTrace(db: Database, traceId: string): string | undefined {
  const row = db.get("select id from runs where trace_id = ? order by seq limit 1", [traceId]);
  return row && String(row.id);
}

export function childrenOf(db: Database, runId: string): Run[] {
  return db.all("select * from runs where parent_id = ? order by seq", [runId]).map(toRun);
}

export function overdueRuns(db: Database, now: number): string[] {
  return db
    .all("select id from runs where deadline <= ? order by deadline limit 100", [now])
    .map((row) => String(row.id));
}

export function nextDeadline(db: Database): number | null {
  return number(db.get("select min(deadline) as at from runs")?.at);
}

export function runsInExecution(db: Database, executions: string[]): Run[] {
  return db
    .all(`select * from runs where execution in (${marks(executions)})`, executions)
    .map(toRun);
}

export function listRuns(db: Database, filter: RunFilter): Run[] {
  const where: string[] = [];
  const values: Value[] = [];
  const anyOf = (column: string, list: string[] | undefined): void => {
    if (list === undefined) return;
    where.push(list.length === 0 ? "0" : `${column} in (${marks(list)})`);
    values.push(...list);
  };
  anyOf("status", filter.statuses);
  anyOf("task", filter.tasks);
  anyOf("json_extract(facts, '$.version')", filter.versions);
  if (filter.tags !== undefined) {
    where.push(`id in (select run_id from tags where tag in (${marks(filter.tags)}))`);
    values.push(...filter.tags);
  }
  const compare = (expression: string, value: Value | undefined): void => {
    if (value === undefined) return;
    where.push(expression);
    values.push(value);
  };
  compare("created_at >= ?", filter.from);
  compare("created_at <= ?", filter.to);
  compare(
    "json_extract(facts, '$.isTest') = ?",
    filter.isTest === undefined ? undefined : Number(filter.isTest),
  );
  compare("seq < (select seq from runs where id = ?)", filter.after);
  compare("seq > (select seq from runs where id = ?)", filter.before);
  const order = filter.before === undefined ? "desc" : "asc";
  const rows = db.all(
    `select * from runs ${where.length > 0 ? `where ${where.join(" and ")}` : ""}
     order by seq ${order} limit ?`,
    [...values, filter.limit],
  );
  const runs = rows.map(toRun);
  return filter.before === undefined ? runs : runs.reverse();
}

const RUN_TABLES = [
  "attempts",
  "snapshots",
  "tags",
  "idempotency_keys",
  "spans",
  "logs",
  "blocks",
  "completions",
  "batch_items",
];

/** Keeps the newest final runs: the file must not grow for ever. */
export function prune(db: Database, keep = 2_000): void {
  const row = db.get(
    "select seq from runs where finished_at is not null order by seq desc limit 1 offset ?",
    [keep],
  );
  if (row === undefined) return;
  db.transaction(() => {
    const old = "select id from runs where finished_at is not null and seq <= ?";
    for (const table of RUN_TABLES) {
      db.run(`delete from ${table} where run_id in (${old})`, [row.seq ?? null]);
    }
    db.run("delete from runs where finished_at is not null and seq <= ?", [row.seq ?? null]);
    // What is left of their waits and batches: named by nobody any more, and no key can find it.
    const now = Date.now();
    db.run(
      `delete from waitpoints where completed_at is not null and (key is null or key_expires_at <= ?)
         and id not in (select waitpoint_id from blocks)
         and id not in (select waitpoint_id from completions)
         and (run_id is null or run_id not in (select id from runs))`,
      [now],
    );
    db.run(
      `delete from batches where sealed_at is not null and (key is null or key_expires_at <= ?)
         and id not in (select batch_id from batch_items)`,
      [now],
    );
  });
}

export function insertSnapshot(db: Database, snapshot: Snapshot): void {
  db.run(
    `insert into snapshots (id, run_id, execution, run_status, attempt, description, created_at)
     values (?, ?, ?, ?, ?, ?, ?)`,
    [
      snapshot.id,
      snapshot.runId,
      snapshot.execution,
      snapshot.runStatus,
      snapshot.attempt,
      snapshot.description,
      snapshot.createdAt,
    ],
  );
}

export function findSnapshot(db: Database, id: string): Snapshot | undefined {
  const row = db.get("select * from snapshots where id = ?", [id]);
  return row && toSnapshot(row);
}

export function snapshotsOf(db: Database, runId: string): Snapshot[] {
  return db
    .all("select * from snapshots where run_id = ? order by created_at, rowid", [runId])
    .map(toSnapshot);
}

export function startAttempt(
  db: Database,
  runId: string,
  attempt: { number: number; startedAt: number; machine: string | null },
): void {
  db.run(
    `insert into attempts (run_id, number, started_at, status, machine)
     values (?, ?, ?, 'EXECUTING', ?)`,
    [runId, attempt.number, attempt.startedAt, attempt.machine],
  );
}

export function endAttempt(
  db: Database,
  runId: string,
  attempt: { number: number; finishedAt: number; status: string; error: TaskRunError | null },
): void {
  db.run(
    "update attempts set finished_at = ?, status = ?, error = ? where run_id = ? and number = ?",
    [attempt.finishedAt, attempt.status, json(attempt.error), runId, attempt.number],
  );
}

export function attemptsOf(db: Database, runId: string): Attempt[] {
  return db.all("select * from attempts where run_id = ? order by number", [runId]).map((row) => ({
    number: Number(row.number),
    startedAt: Number(row.started_at),
    finishedAt: number(row.finished_at),
    status: String(row.status),
    machine: text(row.machine),
    error: parse<TaskRunError>(row.error),
  }));
}

export function tagsOf(db: Database, runId: string): string[] {
  return db
    .all("select tag from tags where run_id = ? order by tag", [runId])
    .map((row) => String(row.tag));
}

export function addTags(db: Database, runId: string, tags: readonly string[]): void {
  for (const tag of tags) {
    db.run("insert or ignore into tags (run_id, tag) values (?, ?)", [runId, tag]);
  }
}

/** What the state of a run stored by an earlier version has not. */
const LATER_STATE = { held: [], keepsSlot: false };

export function toRun(row: Row): Run {
  return {
    id: String(row.id),
    seq: Number(row.seq),
    task: String(row.task),
    branch: text(row.branch),
    state: { ...LATER_STATE, ...(JSON.parse(String(row.state)) as RunState) },
    facts: JSON.parse(String(row.facts)) as RunFacts,
    payload: text(row.payload),
    payloadType: String(row.payload_type),
    output: text(row.output),
    outputType: text(row.output_type),
    error: parse<TaskRunError>(row.error),
    metadata: parse<Record<string, unknown>>(row.metadata),
    parentId: text(row.parent_id),
    rootId: text(row.root_id),
    traceId: String(row.trace_id),
    workerId: text(row.worker_id),
    queuedAt: Number(row.queued_at),
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    finishedAt: number(row.finished_at),
  };
}

function toSnapshot(row: Row): Snapshot {
  return {
    id: String(row.id),
    runId: String(row.run_id),
    execution: String(row.execution),
    runStatus: String(row.run_status),
    attempt: Number(row.attempt),
    description: String(row.description),
    createdAt: Number(row.created_at),
  };
}

export function marks(list: readonly unknown[]): string {
  return list.map(() => "?").join(", ");
}

function json(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

function parse<T>(value: Value | undefined): T | null {
  return typeof value === "string" ? (JSON.parse(value) as T) : null;
}

function text(value: Value | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

function number(value: Value | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}
