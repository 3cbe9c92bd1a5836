// What happened, in order, with times: for tests (`GET /admin/log`), for the live page, and for
// whoever waits for something. Written to the database, so that it survives a restart.

import type { Database } from "./database.ts";

export type JournalType =
  | "control plane started"
  | "worker registered"
  | "socket connected"
  | "socket disconnected"
  | "triggered"
  | "delay over"
  | "dequeued"
  | "attempt started"
  | "cancel requested"
  | "worker notified"
  | "cancel delivered"
  | "blocked"
  | "resumed"
  | "resume delivered"
  | "waitpoint completed"
  | "attempt ended"
  | "completion refused"
  | "retry scheduled"
  | "requeued"
  | "stalled"
  | "disconnected"
  | "worker lost"
  | "finished";

export interface JournalEvent {
  seq: number;
  /** Milliseconds since 1970, with fractions. */
  at: number;
  type: JournalType;
  runId?: string;
  data: Record<string, unknown>;
}

export interface Journal {
  write(type: JournalType, runId?: string, data?: Record<string, unknown>): void;
  since(seq: number, limit?: number): JournalEvent[];
  /** The `seq` of the newest event. */
  newest(): number;
  /** Called after each event; returns how to stop. */
  listen(listener: (event: JournalEvent) => void): () => void;
}

const KEPT_EVENTS = 20_000;

export function openJournal(db: Database): Journal {
  const listeners = new Set<(event: JournalEvent) => void>();
  let newest = Number(db.get("select max(seq) as seq from events")?.seq ?? 0);
  db.run("delete from events where seq < ?", [newest - KEPT_EVENTS]);
  return {
    write(type, runId, data = {}) {
      const at = performance.timeOrigin + performance.now();
      const { lastId } = db.run("insert into events (at, type, run_id, data) values (?, ?, ?, ?)", [
        at,
        type,
        runId ?? null,
        JSON.stringify(data),
      ]);
      newest = lastId;
      const event: JournalEvent = { seq: lastId, at, type, data, ...(runId ? { runId } : {}) };
      for (const listener of listeners) listener(event);
    },
    since(seq, limit = 1000) {
      return db
        .all("select * from events where seq > ? order by seq limit ?", [seq, limit])
        .map((row) => ({
          seq: Number(row.seq),
          at: Number(row.at),
          type: String(row.type) as JournalType,
          data: JSON.parse(String(row.data)) as Record<string, unknown>,
          ...(row.run_id === null ? {} : { runId: String(row.run_id) }),
        }));
    },
    newest: () => newest,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
