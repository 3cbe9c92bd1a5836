// Who waits for what: blocks a run on another one, a batch or a time, and continues it when all of that
// is there and a slot of its queue is free. The state machine decides what blocking and continuing are.
// Everything is in the database: a restarted control plane continues what became due meanwhile.

import { HttpError } from "../http/router.ts";
import type { Database } from "../store/database.ts";
import type { Journal } from "../store/journal.ts";
import { slotOf, slotsInUse } from "../store/queue.ts";
import { findRun, type Run } from "../store/runs.ts";
import {
  addBlock,
  clearUnsealed,
  completeDue,
  completeWaitpointOf,
  type Edge,
  timedWaitpoint,
  unblockedRuns,
  type Waitpoint,
  waitpointOf,
} from "../store/waitpoints.ts";
import { findWorker } from "../store/workers.ts";
import type { Reply, RunEvent } from "./state.ts";

/** The official engine keeps the slot of a run in a timed wait for as long as this, in ms. */
const SLOT_KEPT_MS = 60_000;

export interface WaitsOptions {
  db: Database;
  journal: Journal;
  apply: (runId: string, event: RunEvent) => Reply;
}

export interface Place {
  batchId: string;
  position: number;
}

export class Waits {
  readonly #options: WaitsOptions;
  #continuing = false;

  constructor(options: WaitsOptions) {
    this.#options = options;
  }

  /** The run waits for the end of another one, which may be over already. */
  onRun(runId: string, child: Run, place?: Place): void {
    const { db } = this.#options;
    // The first of a batch's own items must not give the batch up.
    if (place === undefined) clearUnsealed(db, runId);
    const subject = { type: "RUN", id: child.id, completedAt: child.finishedAt } as const;
    const waitpoint = waitpointOf(db, subject, Date.now());
    this.#block(runId, [{ runId, waitpointId: waitpoint.id, ...place }], false);
  }

  /** The run waits for all of these at once: it is continued when the last one is there. */
  onRuns(runId: string, children: { run: Run; place: Place }[]): void {
    const { db } = this.#options;
    clearUnsealed(db, runId);
    const edges = children.map(({ run, place }) => {
      const subject = { type: "RUN", id: run.id, completedAt: run.finishedAt } as const;
      return { runId, waitpointId: waitpointOf(db, subject, Date.now()).id, ...place };
    });
    this.#block(runId, edges, false);
  }

  /** The run waits until all items of the batch are handed in; then for each of them. */
  onBatch(runId: string, batchId: string): void {
    const { db } = this.#options;
    clearUnsealed(db, runId);
    const subject = { type: "BATCH", id: batchId, completedAt: null } as const;
    const waitpoint = waitpointOf(db, subject, Date.now());
    this.#block(runId, [{ runId, waitpointId: waitpoint.id }], false);
  }

  /** The run waits for a time; with a key that was used before: for the time given then. */
  onTime(runId: string, at: number, key?: { key: string; expiresAt: number }): Waitpoint {
    const { db } = this.#options;
    return db.transaction(() => {
      const now = Date.now();
      clearUnsealed(db, runId);
      const given = key === undefined ? {} : { key: key.key, keyExpiresAt: key.expiresAt };
      const waitpoint = timedWaitpoint(db, { at, now, ...given });
      const end = waitpoint.completedAt ?? waitpoint.completedAfter ?? at;
      this.#block(runId, [{ runId, waitpointId: waitpoint.id }], end - now <= SLOT_KEPT_MS);
      return waitpoint;
    });
  }

  /** A run has ended, or a batch is complete: true when somebody may have waited for it. */
  ended(subjectId: string): boolean {
    return completeWaitpointOf(this.#options.db, subjectId, Date.now());
  }

  /** Completes the waits for a time that has come. */
  tick(): void {
    const { db, journal } = this.#options;
    const completed = completeDue(db, Date.now());
    if (completed === 0) return;
    journal.write("waitpoint completed", undefined, { completed });
    this.continueUnblocked();
  }

  /** Continues every run that has nothing left to wait for, as far as the queues have room. */
  continueUnblocked(): void {
    if (this.#continuing) return;
    this.#continuing = true;
    try {
      const { db, apply } = this.#options;
      for (const id of unblockedRuns(db)) {
        const run = findRun(db, id);
        if (run !== undefined && hasSlot(db, run)) apply(id, { type: "resume" });
      }
    } finally {
      this.#continuing = false;
    }
  }

  #block(runId: string, edges: Edge[], keepsSlot: boolean): void {
    const { db, apply } = this.#options;
    for (const edge of edges) addBlock(db, edge);
    const reply = apply(runId, { type: "block", keepsSlot });
    // Thrown inside the transaction: neither the wait nor what it waits for is stored.
    if (!reply.ok) throw new HttpError(422, `${runId} cannot wait: ${reply.message}`);
  }
}

/** A run that gave its slot up while it waited needs one again to go on. */
function hasSlot(db: Database, run: Run): boolean {
  if (run.state.keepsSlot || run.workerId === null) return true;
  const limit = findWorker(db, run.workerId)?.queueLimits[run.facts.queue];
  if (limit === undefined) return true;
  return (slotsInUse(db).get(slotOf(run)) ?? 0) < limit;
}
