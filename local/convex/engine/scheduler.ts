// `ctx.scheduler`: jobs are documents of `_scheduled_functions`, so they are committed with the
// mutation that made them and survive a restart. A mutation runs exactly once (its new state is
// committed with it); an action runs at most once, as in production.
import type { JSONValue } from "convex/values";
import type { Engine } from "./engine.ts";
import { describeFailure } from "./errors.ts";
import { type Caller, outsideFrames } from "./frame.ts";
import { rangeOf } from "./keys.ts";
import { canonicalPath } from "./modules.ts";
import type { Index, Table } from "./store.ts";
import type { Transaction } from "./transaction.ts";

interface Job {
  _id: string;
  name: string;
  args: [Record<string, JSONValue>];
  scheduledTime: number;
  state: { kind: "pending" | "inProgress" | "success" | "failed" | "canceled"; error?: string };
  completedTime?: number;
}

const TABLE = "_scheduled_functions";
/** Finished jobs can be looked at for a week, as in production. */
const KEEP_FINISHED_MS = 7 * 24 * 60 * 60 * 1000;
/** The longest that one timer can wait (2^31 - 1 ms). */
const MAX_TIMER_MS = 2_147_483_647;
const DUE_BATCH = 16;

const startTimer = setTimeout;
const clock = Date.now;

export class Scheduler {
  readonly #engine: Engine;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #running = 0;
  #wake: (() => void) | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Takes up what an earlier process left: pending jobs run, begun actions have failed. */
  async start(): Promise<void> {
    await this.#engine.write(async (transaction) => {
      for (const job of this.#inState("inProgress", Number.MAX_VALUE, 1_000_000)) {
        this.#finish(transaction, job, "failed", "Transient error while executing action");
      }
      for (const { json } of this.#engine.store.documents(this.#table())) {
        const job = JSON.parse(json) as Job;
        if ((job.completedTime ?? clock()) < clock() - KEEP_FINISHED_MS)
          transaction.remove(job._id);
      }
    });
    this.arm();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  insert(transaction: Transaction, path: string, args: Record<string, JSONValue>): string {
    const { functions } = this.#engine.options.deployment;
    const name = canonicalPath(path);
    const fn = functions.get(name);
    if (fn === undefined || fn.kind === "query") {
      throw new Error(
        `Attempted to schedule function ${path}, but no such mutation or action exists`,
      );
    }
    // `ts` comes in seconds; a time in the past means now.
    const scheduledTime = Math.max((args.ts as number) * 1000, clock());
    transaction.scheduled = Math.max(transaction.scheduled, 1);
    return transaction.insert(TABLE, {
      name,
      args: [args.args as JSONValue],
      scheduledTime,
      state: { kind: "pending" },
    });
  }

  /** A job that has begun is not stopped. */
  cancel(transaction: Transaction, id: string): void {
    const json = transaction.get(id, "get", TABLE);
    if (json === null) throw new Error(`No scheduled function with ID ${id}`);
    const job = JSON.parse(json) as Job;
    if (job.state.kind === "pending") this.#finish(transaction, job, "canceled");
  }

  /** Sets the one timer to the next due job. */
  arm(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    const [next] = this.#inState("pending", Number.MAX_VALUE, 1);
    if (next === undefined) return;
    const wait = Math.min(Math.max(next.scheduledTime - clock(), 0), MAX_TIMER_MS);
    this.#timer = outsideFrames(() => startTimer(() => void this.#runDue(), wait));
  }

  /** For tests: settles when no job is due or running any more. */
  async idle(): Promise<void> {
    while (this.#running > 0 || this.#inState("pending", clock(), 1).length > 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #runDue(): Promise<void> {
    const due = await this.#engine.exclusive(async () =>
      this.#isStopped ? [] : this.#inState("pending", clock(), DUE_BATCH),
    );
    this.#running += due.length;
    for (const job of due) {
      await this.#run(job).catch((error: unknown) => {
        if (!this.#isStopped)
          process.stderr.write(`scheduled function ${job.name}: ${String(error)}\n`);
      });
    }
    if (!this.#isStopped) this.arm();
  }

  async #run(job: Job): Promise<void> {
    const fn = this.#engine.options.deployment.functions.get(job.name);
    const caller: Caller = { identity: null, isTrusted: true, scheduledFunctionId: job._id };
    if (fn?.kind === "action") {
      const isOurs = await this.#engine.write(async (t) => this.#begin(t, job));
      // Actions run beside everything else.
      if (isOurs) void this.#runAction(job, caller).finally(() => this.#ended());
      else this.#ended();
      return;
    }
    try {
      await this.#engine.runScheduledMutation(job.name, JSON.stringify(job.args[0]), caller, {
        begin: (transaction) => this.#begin(transaction, job),
        finish: (transaction) => this.#finish(transaction, job, "success"),
      });
    } catch (error) {
      await this.#engine.write(async (t) => this.#finish(t, job, "failed", this.#describe(error)));
    } finally {
      this.#ended();
    }
  }

  async #runAction(job: Job, caller: Caller): Promise<void> {
    const args = JSON.stringify(job.args[0]);
    const outcome = await this.#engine.runAction(job.name, args, caller);
    if (this.#isStopped) return;
    await this.#engine.write(async (transaction) => {
      if (outcome.ok) this.#finish(transaction, job, "success");
      else this.#finish(transaction, job, "failed", outcome.failure.errorMessage);
    });
  }

  #ended(): void {
    this.#running--;
    this.#wake?.();
  }

  #describe(error: unknown): string {
    const { redact, functionsFolder: functions } = this.#engine.options;
    return describeFailure(error, { requestId: "scheduled", redact, functions }).errorMessage;
  }

  /** False when the job was cancelled in the meantime. */
  #begin(transaction: Transaction, job: Job): boolean {
    const json = transaction.get(job._id, "get", TABLE);
    if (json === null || (JSON.parse(json) as Job).state.kind !== "pending") return false;
    transaction.patch(job._id, { state: { kind: "inProgress" } });
    return true;
  }

  #finish(
    transaction: Transaction,
    job: Job,
    kind: "success" | "failed" | "canceled",
    error?: string,
  ): void {
    transaction.patch(job._id, {
      state: error === undefined ? { kind } : { kind, error },
      completedTime: clock(),
    });
  }

  #inState(kind: Job["state"]["kind"], before: number, limit: number): Job[] {
    const index = this.#table().indexes.get("by_state_time") as Index;
    const range = rangeOf("by_state_time", index.fields, [
      { type: "Eq", fieldPath: "state.kind", value: kind },
      { type: "Lte", fieldPath: "scheduledTime", value: before },
    ]);
    const rows = this.#engine.store.scan(index.id, range, "asc", limit);
    return rows.map((row) => JSON.parse(row.json) as Job);
  }

  #table(): Table {
    return this.#engine.store.table(TABLE) as Table;
  }
}
