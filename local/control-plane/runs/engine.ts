// The I/O around the state machine: loads a run, applies one event, stores the result in one
// transaction, then tells those who wait. Every change of a run goes through `apply`.
// Timers are never kept per run: the earliest stored deadline is the only one, so a restart loses none.

import {
  generateFriendlyId,
  type TaskRunError,
  type TaskRunExecutionResult,
} from "@trigger.dev/core/v3";
import type { Database } from "../store/database.ts";
import type { Journal } from "../store/journal.ts";
import { nextDue } from "../store/queue.ts";
import {
  addTags,
  childrenOf,
  endAttempt,
  findRun,
  insertRun,
  insertSnapshot,
  nextDeadline,
  overdueRuns,
  type Run,
  runsInExecution,
  startAttempt,
  updateRun,
} from "../store/runs.ts";
import { clearBlocks, completeBlocks, nextWaitEnd } from "../store/waitpoints.ts";
import { findWorker } from "../store/workers.ts";
import { Deliveries } from "./deliveries.ts";
import { type Dequeued, giveOut } from "./dequeue.ts";
import { Holds } from "./holds.ts";
import { created, transition } from "./machine.ts";
import { outcomeOf, stalledOutcome } from "./policy.ts";
import {
  type Context,
  type Effect,
  isFinal,
  type Reply,
  type RunEvent,
  type RunState,
  type Timeouts,
} from "./state.ts";
import { isWatched } from "./steps.ts";
import { Waits } from "./waits.ts";

export interface EngineOptions {
  db: Database;
  journal: Journal;
  timeouts: Timeouts;
  maxConcurrentRuns: number;
  /** Tells the worker that a run has a new snapshot. */
  notify: (runId: string) => number;
}

export type NewRun = Omit<
  Run,
  "seq" | "state" | "output" | "outputType" | "error" | "workerId" | "updatedAt" | "finishedAt"
> & { tags: string[]; expiresAt: number | null };

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const MAKES_ROOM = new Set(["QUEUED", "EXECUTING_WITH_WAITPOINTS", "FINISHED"]);
/** A worker has the run in hand. */
const IN_HAND = ["PENDING_EXECUTING", "EXECUTING", "EXECUTING_WITH_WAITPOINTS", "PENDING_CANCEL"];
/** Of these not more than the environment allows; a run that waits does nothing. */
const AT_WORK = ["PENDING_EXECUTING", "EXECUTING", "PENDING_CANCEL"];

/** What follows from a change: once it is stored (in its transaction), and once it is committed. */
interface Follow {
  stored: (() => void)[];
  committed: (() => void)[];
}

export class Engine {
  readonly waits: Waits;
  readonly deliveries: Deliveries;
  readonly #options: EngineOptions;
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  readonly #holds = new Holds(() => this.#wake());
  #closed = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { db, journal, timeouts } = options;
    this.waits = new Waits({ db, journal, apply: (runId, event) => this.apply(runId, event) });
    this.deliveries = new Deliveries(db, journal, this.#holds);
    const now = Date.now();
    // While the control plane was down nobody could send a heartbeat: everyone gets a fresh start.
    db.transaction(() => {
      for (const run of runsInExecution(db, IN_HAND)) {
        const grace = isWatched(run.state) ? watchTimeout(run.state, timeouts) : timeouts.executing;
        const deadline = Math.max(run.state.deadline ?? 0, now + grace);
        updateRun(db, { ...run, state: { ...run.state, deadline } });
      }
    });
    // What was stored as completed and not yet acted upon.
    this.waits.continueUnblocked();
    this.#schedule();
  }

  create(run: NewRun): Run {
    const { db, journal } = this.#options;
    const { tags, expiresAt, ...rest } = run;
    return db.transaction(() => {
      const context = this.#context();
      const delayUntil = run.facts.delayUntil ?? null;
      const result = created({ delayUntil, expiresAt }, context);
      const stored = {
        ...rest,
        state: result.state,
        output: null,
        outputType: null,
        error: null,
        workerId: null,
        updatedAt: context.now,
        finishedAt: null,
      };
      insertRun(db, stored, (run.facts.priority ?? 0) * 1000);
      addTags(db, run.id, tags);
      this.#writeSnapshot(run.id, result.state, result.effects, context.now);
      journal.write("triggered", run.id, { task: run.task, delayed: delayUntil !== null });
      this.#afterChange(result.state);
      return this.require(run.id);
    });
  }

  require(runId: string): Run {
    const run = findRun(this.#options.db, runId);
    if (run === undefined) throw new Error(`run ${runId} is not stored`);
    return run;
  }

  /** Gives out due runs of this worker's tasks. */
  dequeue(workerId: string, branch: string | null, limit: number): Dequeued[] {
    const { db, journal, maxConcurrentRuns } = this.#options;
    const worker = findWorker(db, workerId);
    if (worker === undefined || this.#holds.remaining() > 0) return [];
    return db.transaction(() => {
      const busy = runsInExecution(db, AT_WORK);
      const room = Math.min(limit, maxConcurrentRuns - busy.length);
      const given: Dequeued[] = [];
      giveOut(db, worker, branch, room, (run, locked) => {
        const reply = this.apply(run.id, { type: "dequeue" });
        if (!reply.ok) return false;
        journal.write("dequeued", run.id, { worker: locked.version });
        given.push({ run: this.require(run.id), worker: locked });
        return true;
      });
      return given;
    });
  }

  /** Settles as soon as a run may be due, at the latest after `ms`. */
  waitForWork(ms: number, signal: AbortSignal): Promise<void> {
    const now = Date.now();
    const due = nextDue(this.#options.db, now) ?? Number.POSITIVE_INFINITY;
    const held = this.#holds.remaining() || Number.POSITIVE_INFINITY;
    const wait = Math.max(1, Math.min(ms, due - now, held));
    return new Promise((settle) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        settle();
      };
      const timer = setTimeout(done, wait);
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
      if (this.#closed || signal.aborted) done();
    });
  }

  /** Settles when an attempt may be started without being given a process that is about to end. */
  async untilReleased(signal: AbortSignal): Promise<void> {
    for (let rest = this.#holds.remaining(); rest > 0; rest = this.#holds.remaining()) {
      if (signal.aborted) return;
      await this.waitForWork(rest, signal);
    }
  }

  complete(runId: string, from: string, completion: TaskRunExecutionResult, force: boolean): Reply {
    const { db, journal } = this.#options;
    return db.transaction(() => {
      const run = this.require(runId);
      this.#holds.ended(runId, isCancelError(completion));
      const event: RunEvent = completion.ok
        ? { type: "succeed", from }
        : { type: "fail", from, outcome: this.#outcome(run, completion, force) };
      const reply = this.apply(runId, event);
      if (!reply.ok) {
        journal.write("completion refused", runId, { reason: reply.message });
        return reply;
      }
      if (!reply.changed) return reply;
      const after = this.require(runId);
      after.facts.durationMs += completion.usage?.durationMs ?? 0;
      if (completion.ok && after.state.status === "COMPLETED_SUCCESSFULLY") {
        after.output = completion.output ?? null;
        after.outputType = completion.outputType;
      }
      updateRun(db, after);
      return reply;
    });
  }

  /** The run's cancel, as `POST /api/v2/runs/:id/cancel`; false: it was final already. */
  cancel(runId: string, options: { reason?: string; finalize?: boolean } = {}): boolean {
    const { reason = "Canceled by user", finalize = false } = options;
    const run = this.require(runId);
    this.#options.journal.write("cancel requested", runId, {
      execution: run.state.execution,
      finalize,
    });
    this.apply(runId, { type: "cancel", reason, finalize });
    return run.state.execution !== "FINISHED";
  }

  /** Ends or requeues the runs that no connected CLI has in hand any more. */
  findLost(inHand: (runId: string) => boolean): void {
    const { db, journal } = this.#options;
    for (const run of runsInExecution(db, IN_HAND)) {
      if (inHand(run.id)) continue;
      journal.write("worker lost", run.id, { execution: run.state.execution });
      this.apply(run.id, { type: "lost", reason: "Dev session ended (CLI exited)" });
    }
  }

  /** Applies one event to one run: the only place where a run's state changes. */
  apply(runId: string, event: RunEvent): Reply {
    const { db } = this.#options;
    const follow: Follow = { stored: [], committed: [] };
    const reply = db.transaction(() => {
      const run = this.require(runId);
      const context = this.#context();
      const result = transition(run.state, event, context);
      if (result.state === run.state && result.effects.length === 0) return result.reply;
      const changed: Run = { ...run, state: result.state, updatedAt: context.now };
      if (result.state.execution === "QUEUED" && run.state.execution !== "QUEUED") {
        changed.queuedAt = result.state.notBefore ?? context.now;
      }
      for (const effect of result.effects) this.#perform(changed, effect, context.now, follow);
      updateRun(db, changed);
      this.#writeSnapshot(run.id, result.state, result.effects, context.now);
      this.#noteWait(run, result.state);
      for (const step of follow.stored) step();
      return result.reply;
    });
    for (const step of follow.committed) step();
    this.#afterChange(this.require(runId).state);
    return reply;
  }

  /** Looks at every run whose deadline has passed. */
  tick(): void {
    const { db, journal, timeouts } = this.#options;
    this.waits.tick();
    for (const id of overdueRuns(db, Date.now())) {
      const { execution } = this.require(id).state;
      if (execution === "DELAYED") journal.write("delay over", id);
      else if (execution !== "QUEUED") journal.write("stalled", id, { execution });
      const stalled = stalledOutcome(execution, timeouts);
      this.apply(id, { type: "deadline", stalled });
    }
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#wake();
  }

  /** Who begins to wait, and who is continued by the snapshot that was just written. */
  #noteWait(before: Run, { execution, attemptRunning, snapshotId }: RunState): void {
    const { db, journal } = this.#options;
    const waited = before.state.execution === "EXECUTING_WITH_WAITPOINTS";
    if (execution === "EXECUTING_WITH_WAITPOINTS" && !waited) journal.write("blocked", before.id);
    if (execution !== "EXECUTING" || !waited || !attemptRunning) return;
    const waitpoints = completeBlocks(db, before.id, snapshotId);
    if (waitpoints > 0) journal.write("resumed", before.id, { waitpoints });
  }

  /** As the official engine: all children, whether the run waits for them or not. */
  #cancelChildren(runId: string): void {
    for (const child of childrenOf(this.#options.db, runId)) {
      if (isFinal(child.state.status)) continue;
      this.cancel(child.id, { reason: "Parent run was cancelled" });
    }
  }

  #perform(run: Run, effect: Effect, now: number, follow: Follow): void {
    const { db, journal, notify } = this.#options;
    switch (effect.type) {
      case "attemptStarted": {
        const machine = run.facts.machine ?? null;
        startAttempt(db, run.id, { number: effect.number, startedAt: now, machine });
        journal.write("attempt started", run.id, { attempt: effect.number, machine });
        return;
      }
      case "attemptEnded": {
        const { number, status, error = null } = effect;
        endAttempt(db, run.id, { number, finishedAt: now, status, error });
        // The next attempt waits for what it waits for.
        follow.stored.push(() => clearBlocks(db, run.id));
        journal.write("attempt ended", run.id, { attempt: number, status, error });
        return;
      }
      case "machine":
        run.facts = { ...run.facts, machine: effect.name };
        return;
      case "error":
        run.error = effect.error;
        return;
      case "retryScheduled":
        journal.write("retry scheduled", run.id, { at: effect.at, method: effect.method });
        return;
      case "finished":
        run.finishedAt = now;
        this.deliveries.forget(run.id);
        if (run.state.status === "EXPIRED") run.facts = { ...run.facts, expiredAt: now };
        if (run.state.status === "COMPLETED_SUCCESSFULLY") run.error = null;
        journal.write("finished", run.id, { status: run.state.status });
        follow.stored.push(() => this.waits.ended(run.id));
        return;
      case "cancelChildren":
        follow.stored.push(() => this.#cancelChildren(run.id));
        return;
      case "notify":
        if (run.state.execution === "PENDING_CANCEL") this.#holds.cancelling(run.id);
        // After the commit: the worker asks for the snapshot at once.
        follow.committed.push(() =>
          journal.write("worker notified", run.id, { sockets: notify(run.id) }),
        );
        return;
      case "snapshot":
        return;
    }
  }

  #writeSnapshot(runId: string, state: RunState, effects: Effect[], now: number): void {
    for (const effect of effects) {
      if (effect.type !== "snapshot") continue;
      insertSnapshot(this.#options.db, {
        id: state.snapshotId,
        runId,
        execution: state.execution,
        runStatus: state.status,
        attempt: state.attempt,
        description: effect.description,
        createdAt: now,
      });
    }
  }

  #outcome(run: Run, completion: TaskRunExecutionResult & { ok: false }, forceRequeue: boolean) {
    return outcomeOf({
      error: completion.error,
      attempt: run.state.attempt,
      retry: completion.retry,
      maxAttempts: run.facts.maxAttempts,
      retryConfig: run.facts.retryConfig,
      machine: run.facts.machine,
      forceRequeue,
      now: Date.now(),
    });
  }

  #context(): Context {
    const { timeouts } = this.#options;
    return { now: Date.now(), snapshotId: generateFriendlyId("snapshot"), timeouts };
  }

  #afterChange(state: RunState): void {
    // Also for a run that is due later: a waiting dequeue then learns when to look again. And for a
    // run that ended or waits: it made room, first of all for those that have waited long enough.
    if (MAKES_ROOM.has(state.execution)) {
      this.waits.continueUnblocked();
      queueMicrotask(() => this.#wake());
    }
    this.#schedule();
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const { db } = this.#options;
    const at = Math.min(nextDeadline(db) ?? Infinity, nextWaitEnd(db) ?? Infinity);
    if (at === Infinity) return;
    const wait = Math.min(Math.max(0, at - Date.now()), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => this.tick(), wait);
    this.#timer.unref();
  }
}

function watchTimeout(state: RunState, timeouts: Timeouts): number {
  if (state.execution === "PENDING_EXECUTING") return timeouts.pendingExecuting;
  if (state.execution === "PENDING_CANCEL") return timeouts.pendingCancel;
  if (state.execution === "EXECUTING_WITH_WAITPOINTS") return timeouts.waiting;
  return timeouts.executing;
}

function isCancelError(completion: TaskRunExecutionResult): boolean {
  if (completion.ok) return false;
  const error: TaskRunError = completion.error;
  return error.type === "INTERNAL_ERROR" && error.code === "TASK_RUN_CANCELLED";
}
