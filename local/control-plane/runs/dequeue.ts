// Which due runs a worker is given: in the order of the queue, as far as each queue's limit allows, and
// what is fixed on a run when it is given out for the first time.

import type { Database } from "../store/database.ts";
import { nextDueRun, slotOf, slotsInUse } from "../store/queue.ts";
import { type Run, updateRun } from "../store/runs.ts";
import { findWorkerByVersion, type Worker } from "../store/workers.ts";
import { machineOf } from "./machines.ts";

export interface Dequeued {
  run: Run;
  worker: Worker;
}

/** Offers up to `room` runs to `take`, which says whether it took the run. */
export function giveOut(
  db: Database,
  worker: Worker,
  branch: string | null,
  room: number,
  take: (run: Run, worker: Worker) => boolean,
): void {
  const tasks = worker.tasks.map((task) => task.id);
  const used = slotsInUse(db);
  const exceptRuns: string[] = [];
  const exceptSlots: string[] = [];
  const now = Date.now();
  for (let given = 0; given < room; ) {
    const run = nextDueRun(db, { now, tasks, branch, exceptRuns, exceptSlots });
    if (run === undefined) return;
    const slot = slotOf(run);
    const inUse = used.get(slot) ?? 0;
    if (inUse >= (worker.queueLimits[run.facts.queue] ?? Number.POSITIVE_INFINITY)) {
      exceptSlots.push(slot);
      continue;
    }
    exceptRuns.push(run.id);
    const locked = lockToWorker(db, run, worker);
    updateRun(db, locked.run);
    if (!take(locked.run, locked.worker)) continue;
    used.set(slot, inUse + 1);
    given++;
  }
}

/** What the official engine fixes when a run is dequeued: version, machine, retry, limits. */
function lockToWorker(db: Database, run: Run, current: Worker): Dequeued {
  const pinned = run.facts.lockToVersion && findWorkerByVersion(db, run.facts.lockToVersion);
  const worker = pinned || current;
  const task = worker.tasks.find((each) => each.id === run.task);
  const facts = { ...run.facts, version: worker.version };
  facts.machine ??= machineOf(undefined, task?.machine).name;
  facts.retryConfig ??= task?.retry;
  facts.startedAt ??= Date.now();
  const maxAttempts = facts.maxAttempts || task?.retry?.maxAttempts;
  if (maxAttempts !== undefined) facts.maxAttempts = maxAttempts;
  const maxDuration = facts.maxDuration ?? task?.maxDuration;
  if (maxDuration !== undefined) facts.maxDuration = maxDuration;
  return { run: { ...run, facts, workerId: worker.id }, worker };
}
