// Registered versions of the task code: what each worker can run, with the retry, machine and
// duration that its tasks declare. A version never changes after it was registered.

import {
  BackgroundWorkerMetadata,
  generateFriendlyId,
  type TaskResource,
} from "@trigger.dev/core/v3";
import type { Database, Row } from "./database.ts";

export interface Worker {
  id: string;
  version: string;
  contentHash: string;
  branch: string | null;
  tasks: TaskResource[];
  /** Declared limits by the queue's name. */
  queueLimits: Record<string, number>;
  runtime: string | undefined;
  createdAt: number;
}

export function registerWorker(
  db: Database,
  options: { metadata: BackgroundWorkerMetadata; branch: string | null; now: number },
): { worker: Worker; isNew: boolean } {
  const { metadata, branch, now } = options;
  const latest = latestWorker(db, branch);
  // Re-registered after a restart of the CLI with the same code: the same version, as officially.
  if (latest !== undefined && latest.contentHash === metadata.contentHash) {
    return { worker: latest, isNew: false };
  }
  const id = generateFriendlyId("worker");
  // The sources are only for the hosted dashboard; they would grow the file with every rebuild.
  const { sourceFiles: _sources, ...kept } = metadata;
  db.run(
    `insert into workers (id, version, content_hash, branch, metadata, created_at)
     values (?, ?, ?, ?, ?, ?)`,
    [id, nextVersion(db, now), metadata.contentHash, branch, JSON.stringify(kept), now],
  );
  const worker = findWorker(db, id);
  if (worker === undefined) throw new Error("the worker that was just stored is not there");
  return { worker, isNew: true };
}

export function findWorker(db: Database, id: string): Worker | undefined {
  const row = db.get("select * from workers where id = ?", [id]);
  return row && toWorker(db, row);
}

export function findWorkerByVersion(db: Database, version: string): Worker | undefined {
  const row = db.get("select * from workers where version = ? order by seq desc", [version]);
  return row && toWorker(db, row);
}

export function latestWorker(db: Database, branch: string | null): Worker | undefined {
  const row = db.get("select * from workers where branch is ? order by seq desc limit 1", [branch]);
  return row && toWorker(db, row);
}

/** The newest version of every branch: what a person can run now. */
export function newestWorkers(db: Database): Worker[] {
  return db
    .all("select * from workers where seq in (select max(seq) from workers group by branch)")
    .map((row) => toWorker(db, row));
}

/** The task's declaration in the newest version that has it. */
export function findTask(db: Database, task: string): TaskResource | undefined {
  const rows = db.all("select * from workers order by seq desc limit 20");
  for (const row of rows) {
    const found = toWorker(db, row).tasks.find((each) => each.id === task);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Versions count within a day: `20260131.1`, `20260131.2`, ... */
function nextVersion(db: Database, now: number): string {
  const day = new Date(now).toISOString().slice(0, 10).replaceAll("-", "");
  const row = db.get("select count(*) as n from workers where version like ?", [`${day}.%`]);
  return `${day}.${Number(row?.n ?? 0) + 1}`;
}

/** A version never changes once it is registered, and reading one is the dearest part of a trigger. */
const parsed = new WeakMap<Database, Map<string, Worker>>();

function toWorker(db: Database, row: Row): Worker {
  const known = parsed.get(db) ?? new Map<string, Worker>();
  parsed.set(db, known);
  const id = String(row.id);
  const worker = known.get(id) ?? parseWorker(row);
  known.set(id, worker);
  return worker;
}

function parseWorker(row: Row): Worker {
  const metadata = BackgroundWorkerMetadata.parse(JSON.parse(String(row.metadata)));
  return {
    id: String(row.id),
    version: String(row.version),
    contentHash: String(row.content_hash),
    branch: row.branch === null ? null : String(row.branch),
    tasks: metadata.tasks,
    queueLimits: limitsOf(metadata),
    runtime: metadata.runtime,
    createdAt: Number(row.created_at),
  };
}

/** A task's own queue is named after it; a shared one is declared once and may be used by many. */
function limitsOf(metadata: BackgroundWorkerMetadata): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const { name, concurrencyLimit } of metadata.queues ?? []) {
    if (typeof concurrencyLimit === "number") limits[name] = concurrencyLimit;
  }
  for (const { id, queue } of metadata.tasks) {
    if (typeof queue?.concurrencyLimit !== "number") continue;
    limits[queue.name ?? `task/${id}`] = queue.concurrencyLimit;
  }
  return limits;
}
