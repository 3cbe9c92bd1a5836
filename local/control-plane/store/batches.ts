// Batches: how many runs were announced, which have been handed in, and who waits for them.

import type { Database, Row } from "./database.ts";

export interface Batch {
  id: string;
  runCount: number;
  parentId: string | null;
  /** The parent waits for all of its runs. */
  waits: boolean;
  key: string | null;
  /** All items are there. */
  sealedAt: number | null;
  createdAt: number;
}

export function insertBatch(db: Database, batch: Batch & { keyExpiresAt: number | null }): void {
  db.run(
    `insert into batches (id, run_count, parent_id, waits, key, key_expires_at, sealed_at, created_at)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      batch.id,
      batch.runCount,
      batch.parentId,
      batch.waits ? 1 : 0,
      batch.key,
      batch.keyExpiresAt,
      batch.sealedAt,
      batch.createdAt,
    ],
  );
}

export function findBatch(db: Database, id: string): Batch | undefined {
  const row = db.get("select * from batches where id = ?", [id]);
  return row && toBatch(row);
}

export function findBatchByKey(db: Database, key: string, now: number): Batch | undefined {
  db.run("update batches set key = null where key = ? and key_expires_at <= ?", [key, now]);
  const row = db.get("select * from batches where key = ?", [key]);
  return row && toBatch(row);
}

/** A later attempt hands the same batch in. */
export function adoptBatch(db: Database, id: string, parentId: string | null): void {
  db.run("update batches set parent_id = ? where id = ?", [parentId, id]);
}

export function sealBatch(db: Database, id: string, now: number): void {
  db.run("update batches set sealed_at = ? where id = ? and sealed_at is null", [now, id]);
}

export function addBatchItem(
  db: Database,
  place: { batchId: string; position: number },
  runId: string,
): void {
  db.run("insert into batch_items (batch_id, position, run_id) values (?, ?, ?)", [
    place.batchId,
    place.position,
    runId,
  ]);
}

export function batchItems(db: Database, id: string): { position: number; runId: string }[] {
  return db
    .all("select position, run_id from batch_items where batch_id = ? order by position", [id])
    .map((row) => ({ position: Number(row.position), runId: String(row.run_id) }));
}

function toBatch(row: Row): Batch {
  return {
    id: String(row.id),
    runCount: Number(row.run_count),
    parentId: row.parent_id === null ? null : String(row.parent_id),
    waits: row.waits === 1,
    key: row.key === null ? null : String(row.key),
    sealedAt: row.sealed_at === null ? null : Number(row.sealed_at),
    createdAt: Number(row.created_at),
  };
}
