// Which news a worker has fetched: that its run is cancelled, or that it may go on. The notification on
// the socket may be lost, so it is repeated until the snapshot has been read. In memory only: after a
// restart everybody is told once more, which does no harm.

import type { Database } from "../store/database.ts";
import type { Journal } from "../store/journal.ts";
import { findRun, type Run } from "../store/runs.ts";
import { hasCompletions } from "../store/waitpoints.ts";
import type { Holds } from "./holds.ts";

/**
 * A CLI that has just read of a wait (its own poll, every five seconds) flushes its worker and drops
 * what it is told meanwhile, even when it has fetched it.
 */
const FLUSH_MS = 2_000;

export class Deliveries {
  readonly #db: Database;
  readonly #journal: Journal;
  readonly #holds: Holds;
  /** By run: the snapshot that was read last. */
  readonly #read = new Map<string, string>();
  /** By run: when it was last read that the run waits. */
  readonly #readOfWait = new Map<string, number>();

  constructor(db: Database, journal: Journal, holds: Holds) {
    this.#db = db;
    this.#journal = journal;
    this.#holds = holds;
  }

  /** The worker has read the run's newest snapshot. */
  read(run: Run): void {
    const { execution, snapshotId } = run.state;
    if (execution === "EXECUTING_WITH_WAITPOINTS") {
      this.#readOfWait.set(run.id, Date.now());
      return;
    }
    const news = this.#newsOf(run);
    if (news === undefined || this.#read.get(run.id) === snapshotId) return;
    this.#read.set(run.id, snapshotId);
    if (news === "cancel") this.#holds.cancelling(run.id);
    this.#journal.write(news === "cancel" ? "cancel delivered" : "resume delivered", run.id);
  }

  /** There is something that the worker must read and, for all we know, has not. */
  awaited(runId: string): boolean {
    const run = findRun(this.#db, runId);
    const news = run && this.#newsOf(run);
    if (run === undefined || news === undefined) return false;
    if (this.#read.get(runId) !== run.state.snapshotId) return true;
    const flushed = this.#readOfWait.get(runId);
    return news === "resume" && flushed !== undefined && Date.now() - flushed < FLUSH_MS;
  }

  forget(runId: string): void {
    this.#read.delete(runId);
    this.#readOfWait.delete(runId);
  }

  #newsOf({ state }: Run): "cancel" | "resume" | undefined {
    if (state.execution === "PENDING_CANCEL") return "cancel";
    if (state.execution !== "EXECUTING" || !state.attemptRunning) return undefined;
    return hasCompletions(this.#db, state.snapshotId) ? "resume" : undefined;
  }
}
