// What a dequeue asks: which run is next, when one becomes due, and which slots of the queues are held.
// No decisions are made here.

import type { Database } from "./database.ts";
import { marks, type Run, toRun } from "./runs.ts";

export interface DueQuery {
  now: number;
  tasks: string[];
  branch: string | null;
  /** Left out: these runs, and what waits in these queues (as `slotOf` names them). */
  exceptRuns: string[];
  exceptSlots: string[];
}

/** The next due run of these tasks, in the official order: queue time, moved forward by the priority. */
export function nextDueRun(db: Database, query: DueQuery): Run | undefined {
  if (query.tasks.length === 0) return undefined;
  const row = db.get(
    `select * from runs where execution = 'QUEUED' and (not_before is null or not_before <= ?)
       and task in (${marks(query.tasks)}) and (branch is null or branch = ?)
       and id not in (${marks(query.exceptRuns)})
       and queue || char(31) || concurrency_key not in (${marks(query.exceptSlots)})
     order by queued_at - priority_ms, seq limit 1`,
    [query.now, ...query.tasks, query.branch ?? "", ...query.exceptRuns, ...query.exceptSlots],
  );
  return row && toRun(row);
}

/** What a queue's limit counts: the runs of one queue and one concurrency key. */
export function slotOf(run: Pick<Run, "facts">): string {
  return `${run.facts.queue}\u001f${run.facts.concurrencyKey ?? ""}`;
}

/** How many runs hold a slot, by slot: those at work, and those in a wait too short to give it up. */
export function slotsInUse(db: Database): Map<string, number> {
  const rows = db.all(
    `select queue || char(31) || concurrency_key as slot, count(*) as n from runs
     where execution in ('PENDING_EXECUTING', 'EXECUTING', 'PENDING_CANCEL')
       or (execution = 'EXECUTING_WITH_WAITPOINTS' and json_extract(state, '$.keepsSlot'))
     group by 1`,
  );
  return new Map(rows.map((row) => [String(row.slot), Number(row.n)]));
}

/** When the next run that waits in the queue for its time becomes due. */
export function nextDue(db: Database, now: number): number | null {
  const row = db.get(
    "select min(not_before) as at from runs where execution = 'QUEUED' and not_before > ?",
    [now],
  );
  return row?.at === null || row?.at === undefined ? null : Number(row.at);
}
