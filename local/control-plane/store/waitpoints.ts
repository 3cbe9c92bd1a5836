// What runs wait for: the end of another run, a time, or a batch that is still being handed in.
// `blocks` says who waits for what now; `completions` says what a continued run was given, by the
// snapshot that continued it. No decisions are made here.

import { generateFriendlyId } from "@trigger.dev/core/v3";
import type { Database, Row } from "./database.ts";

export type WaitpointType = "RUN" | "DATETIME" | "BATCH";

export interface Waitpoint {
  id: string;
  type: WaitpointType;
  /** RUN: the run whose end completes it. BATCH: the batch. */
  runId: string | null;
  completedAfter: number | null;
  completedAt: number | null;
}

export interface Completion {
  waitpoint: Waitpoint;
  batchId: string | null;
  position: number;
}

export interface Edge {
  runId: string;
  waitpointId: string;
  batchId?: string;
  position?: number;
}

/** The waitpoint of a run's end (or of a batch); made when somebody first waits for it. */
export function waitpointOf(
  db: Database,
  subject: { type: "RUN" | "BATCH"; id: string; completedAt: number | null },
  now: number,
): Waitpoint {
  db.run(
    `insert into waitpoints (id, type, run_id, completed_at, created_at) values (?, ?, ?, ?, ?)
     on conflict (run_id) do nothing`,
    [generateFriendlyId("waitpoint"), subject.type, subject.id, subject.completedAt, now],
  );
  const row = db.get("select * from waitpoints where run_id = ?", [subject.id]);
  if (row === undefined) throw new Error(`the waitpoint of ${subject.id} is not there`);
  return toWaitpoint(row);
}

/** A waitpoint of a time; the same key gives the same one until the key expires. */
export function timedWaitpoint(
  db: Database,
  options: { at: number; key?: string; keyExpiresAt?: number; now: number },
): Waitpoint {
  const { at, key = null, keyExpiresAt = null, now } = options;
  if (key !== null) {
    db.run("update waitpoints set key = null where key = ? and key_expires_at <= ?", [key, now]);
    const row = db.get("select * from waitpoints where key = ?", [key]);
    if (row !== undefined) return toWaitpoint(row);
  }
  const id = generateFriendlyId("waitpoint");
  db.run(
    `insert into waitpoints (id, type, completed_after, completed_at, key, key_expires_at, created_at)
     values (?, 'DATETIME', ?, ?, ?, ?, ?)`,
    [id, at, at <= now ? now : null, key, keyExpiresAt, now],
  );
  return {
    id,
    type: "DATETIME",
    runId: null,
    completedAfter: at,
    completedAt: at <= now ? now : null,
  };
}

export function addBlock(db: Database, { runId, waitpointId, batchId, position }: Edge): void {
  db.run(
    "insert or ignore into blocks (run_id, waitpoint_id, batch_id, position) values (?, ?, ?, ?)",
    [runId, waitpointId, batchId ?? "", position ?? 0],
  );
}

export function clearBlocks(db: Database, runId: string): number {
  return db.run("delete from blocks where run_id = ?", [runId]).changes;
}

/** A batch whose hand-in was given up holds nobody up: its run waits for something else now. */
export function clearUnsealed(db: Database, runId: string): void {
  db.run(
    `delete from blocks where run_id = ? and waitpoint_id in
       (select id from waitpoints where type = 'BATCH' and completed_at is null)`,
    [runId],
  );
}

/** Completes the waitpoint of this run or batch, if anyone has ever waited for it. */
export function completeWaitpointOf(db: Database, subjectId: string, now: number): boolean {
  return (
    db.run("update waitpoints set completed_at = ? where run_id = ? and completed_at is null", [
      now,
      subjectId,
    ]).changes > 0
  );
}

export function completeDue(db: Database, now: number): number {
  return db.run(
    "update waitpoints set completed_at = ? where completed_at is null and completed_after <= ?",
    [now, now],
  ).changes;
}

/** When the next wait for a time ends. */
export function nextWaitEnd(db: Database): number | null {
  const row = db.get(
    `select min(completed_after) as at from waitpoints
     where completed_at is null and completed_after is not null`,
  );
  return row?.at === null || row?.at === undefined ? null : Number(row.at);
}

/** Runs that wait and have nothing left to wait for, in the order in which the queue would take them. */
export function unblockedRuns(db: Database): string[] {
  return db
    .all(
      `select id from runs where execution = 'EXECUTING_WITH_WAITPOINTS' and not exists (
         select 1 from blocks join waitpoints on waitpoints.id = blocks.waitpoint_id
         where blocks.run_id = runs.id and waitpoints.completed_at is null)
       order by queued_at - priority_ms, seq`,
    )
    .map((row) => String(row.id));
}

/** What the run waited for becomes what this snapshot gives it. */
export function completeBlocks(db: Database, runId: string, snapshotId: string): number {
  db.run(
    `insert into completions (snapshot_id, run_id, waitpoint_id, batch_id, position)
     select ?, run_id, waitpoint_id, batch_id, position from blocks where run_id = ?`,
    [snapshotId, runId],
  );
  return clearBlocks(db, runId);
}

export function completionsOf(db: Database, snapshotId: string): Completion[] {
  return db
    .all(
      `select waitpoints.*, completions.batch_id, completions.position from completions
       join waitpoints on waitpoints.id = completions.waitpoint_id
       where completions.snapshot_id = ? order by completions.batch_id, completions.position`,
      [snapshotId],
    )
    .map((row) => ({
      waitpoint: toWaitpoint(row),
      batchId: row.batch_id === "" ? null : String(row.batch_id),
      position: Number(row.position),
    }));
}

export function hasCompletions(db: Database, snapshotId: string): boolean {
  return (
    db.get("select 1 as found from completions where snapshot_id = ? limit 1", [snapshotId]) !==
    undefined
  );
}

function toWaitpoint(row: Row): Waitpoint {
  return {
    id: String(row.id),
    type: String(row.type) as WaitpointType,
    runId: row.run_id === null ? null : String(row.run_id),
    completedAfter: row.completed_after === null ? null : Number(row.completed_after),
    completedAt: row.completed_at === null ? null : Number(row.completed_at),
  };
}
