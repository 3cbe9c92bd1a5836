// Runs functions: one lock, one SQLite transaction per mutation, everything checked before it is
// committed. What others must follow (live queries, timers, logs) is told through `onCommit`.
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { checkArguments, checkResult, checkStoredDocuments } from "./checks.ts";
import { describeFailure, type Failure, FunctionError, textOf } from "./errors.ts";
import { type Caller, type Frame, type FunctionKind, runInFrame } from "./frame.ts";
import { Lock } from "./lock.ts";
import { type ConvexFunction, canonicalPath, type Deployment } from "./modules.ts";
import type { ReadSet } from "./reads.ts";
import { Scheduler } from "./scheduler.ts";
import { Blobs } from "./storage.ts";
import { Store, type Touched } from "./store.ts";
import { type Change, Transaction } from "./transaction.ts";

export interface Commit {
  ts: bigint;
  touched: Touched[];
  changes: Map<string, Change>;
}

export type Outcome = { logLines: string[] } & (
  | { ok: true; json: string; ts: bigint; changes: Map<string, Change> }
  | { ok: false; failure: Failure }
);

export type QueryOutcome = Outcome & { reads: ReadSet | null; journal: string | null };

/** A websocket mutation's own name: carried out once, however often it is asked for. */
export interface RequestKey {
  session: string;
  request: number;
}

export interface EngineOptions {
  deployment: Deployment;
  state: string;
  /** Where the functions' sources are, to show their part of a stack. */
  functionsFolder: string;
  redact: boolean;
  /** Public base URL, for the addresses of stored files; known once the server listens. */
  publicUrl: () => string;
}

/** User code has one second in production; this only ends functions that never will. */
const FUNCTION_TIMEOUT_MS = 30_000;
/** How long the reply to a websocket mutation is kept for a client that asks again. */
const REQUEST_MEMORY_MS = 14 * 24 * 60 * 60 * 1000;

// The guards replace these for functions; the engine itself keeps the real ones.
const startTimer = setTimeout;
const clock = Date.now;

export class Engine {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly scheduler: Scheduler;
  readonly options: EngineOptions;
  readonly #lock = new Lock();
  readonly #listeners = new Set<(commit: Commit) => void>();
  #lastTs: bigint;

  constructor(options: EngineOptions) {
    this.options = options;
    mkdirSync(options.state, { recursive: true });
    this.store = new Store(join(options.state, "convex.db"), options.deployment.schema);
    // Clients hold mutations back until they see a timestamp at least as late as the last one they
    // saw: time goes on from now, and never back, over restarts too.
    const now = nanoseconds();
    const stored = this.store.lastTs();
    this.#lastTs = stored >= now ? stored + 1n : now;
    this.store.forgetRequests(clock() - REQUEST_MEMORY_MS);
    this.blobs = new Blobs(this);
    this.scheduler = new Scheduler(this);
    checkStoredDocuments(this.store, options.deployment.schemaText);
  }

  close(): void {
    this.scheduler.stop();
    this.store.close();
  }

  get lastTs(): bigint {
    return this.#lastTs;
  }

  /** A client has seen a later time than ours (the clock went back): catch up with it. */
  observe(ts: bigint): void {
    if (ts > this.#lastTs) this.#lastTs = ts;
  }

  onCommit(listener: (commit: Commit) => void): void {
    this.#listeners.add(listener);
  }

  /** Waits for everything that runs, then works on a state that nothing changes. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#lock.run(work);
  }

  // ---- finding and checking ----

  find(kind: FunctionKind | "any", path: string, caller: Caller): ConvexFunction {
    const fn = this.options.deployment.functions.get(canonicalPath(path));
    if (fn === undefined || !(fn.isPublic || caller.isTrusted)) {
      throw new FunctionError(
        `Could not find public function for '${path.replace(/:default$/, "")}'. ` +
          "Did you forget to run `npx convex dev` or `npx convex deploy`?",
      );
    }
    if (kind !== "any" && fn.kind !== kind) {
      const article = (k: string) => (k === "action" ? `an ${k}` : `a ${k}`);
      throw new FunctionError(
        `Trying to execute ${fn.path} as ${article(kind)}, but it is defined as ${article(fn.kind)}.`,
      );
    }
    return fn;
  }

  // ---- running ----

  async runQuery(
    path: string,
    argsJson: string,
    caller: Caller,
    journal: string | null = null,
  ): Promise<QueryOutcome> {
    return await this.#lock.run(() => this.runQueryNow(path, argsJson, caller, journal));
  }

  /** For those who hold the lock already. */
  async runQueryNow(
    path: string,
    argsJson: string,
    caller: Caller,
    journal: string | null,
  ): Promise<QueryOutcome> {
    const transaction = new Transaction(this.store, { ts: this.#lastTs, readOnly: true });
    const frame = this.#frame("query", path, caller, transaction);
    frame.journal.before = journal;
    const outcome = await this.#settle(frame, async () => {
      const fn = this.find("query", path, caller);
      return await this.#invoke(fn, argsJson, frame);
    });
    return { ...outcome, reads: transaction.reads, journal: frame.journal.after };
  }

  async runMutation(
    path: string,
    argsJson: string,
    caller: Caller,
    request?: RequestKey,
  ): Promise<Outcome> {
    return await this.#lock.run(async () => {
      const known = request && this.store.request(request.session, request.request);
      if (known) return reviveReply(known);
      const transaction = this.#writable();
      const frame = this.#frame("mutation", path, caller, transaction);
      return await this.#settle(frame, async () => {
        const fn = this.find("mutation", path, caller);
        return await this.#committing(transaction, async () => {
          const json = await this.#invoke(fn, argsJson, frame);
          if (request) {
            const reply = { json, ts: String(transaction.lastTs), logLines: frame.logs };
            this.store.saveRequest(
              request.session,
              request.request,
              clock(),
              JSON.stringify(reply),
            );
          }
          return json;
        });
      });
    });
  }

  /** A job and its own record in one transaction; throws what the function throws. */
  async runScheduledMutation(
    path: string,
    argsJson: string,
    caller: Caller,
    job: {
      begin(transaction: Transaction): boolean;
      finish(transaction: Transaction): void;
    },
  ): Promise<void> {
    await this.write(async (transaction) => {
      if (!job.begin(transaction)) return;
      const fn = this.find("mutation", path, caller);
      await this.#invoke(fn, argsJson, this.#frame("mutation", path, caller, transaction));
      job.finish(transaction);
    });
  }

  async runAction(path: string, argsJson: string, caller: Caller): Promise<Outcome> {
    const frame = this.#frame("action", path, caller);
    return await this.#settle(frame, async () => {
      const fn = this.find("action", path, caller);
      return await this.#invoke(fn, argsJson, frame);
    });
  }

  /** From within an action: the result, or the error as it was thrown. */
  async callFromAction(
    kind: FunctionKind,
    path: string,
    argsJson: string,
    caller: Caller,
  ): Promise<string> {
    const fn = this.find(kind, path, caller);
    if (kind === "action") return await this.#invoke(fn, argsJson, this.#frame(kind, path, caller));
    if (kind === "mutation") {
      return await this.write(async (transaction) =>
        this.#invoke(fn, argsJson, this.#frame(kind, path, caller, transaction)),
      );
    }
    return await this.#lock.run(async () => {
      const transaction = new Transaction(this.store, { ts: this.#lastTs, readOnly: true });
      return await this.#invoke(fn, argsJson, this.#frame(kind, path, caller, transaction));
    });
  }

  /** From within a query or mutation: in the same transaction. */
  async runNested(
    outer: Frame,
    kind: "query" | "mutation",
    path: string,
    argsJson: string,
  ): Promise<string> {
    const caller = { ...outer.caller, isTrusted: true };
    const fn = this.find(kind, path, caller);
    const transaction = outer.transaction as Transaction;
    const frame: Frame = {
      ...this.#frame(kind, path, caller, transaction),
      now: outer.now,
      logs: outer.logs,
      journal: outer.journal,
    };
    const run = () => this.#invoke(fn, argsJson, frame);
    return kind === "mutation" ? await transaction.nested(run) : await run();
  }

  /** One transaction: committed when `work` returns, rolled back when it throws. */
  async write<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return await this.#lock.run(async () => {
      const transaction = this.#writable();
      return await this.#committing(transaction, () => work(transaction));
    });
  }

  #writable(): Transaction {
    const now = nanoseconds();
    const ts = now > this.#lastTs ? now : this.#lastTs + 1n;
    return new Transaction(this.store, { ts, readOnly: false });
  }

  async #committing<T>(transaction: Transaction, work: () => Promise<T>): Promise<T> {
    this.store.begin();
    let result: T;
    try {
      result = await work();
      if (transaction.changes.size > 0) this.store.setLastTs(transaction.lastTs);
      this.store.commit();
    } catch (error) {
      this.store.rollback();
      this.store.dropUncreated();
      throw error;
    }
    if (transaction.changes.size > 0) {
      this.#lastTs = transaction.lastTs;
      const { touched, changes } = transaction;
      for (const listener of this.#listeners) listener({ ts: this.#lastTs, touched, changes });
      if (transaction.scheduled > 0) this.scheduler.arm();
    }
    return result;
  }

  async #invoke(fn: ConvexFunction, argsJson: string, frame: Frame): Promise<string> {
    const tableOf =
      frame.transaction?.tableNameOf ??
      new Transaction(this.store, {
        ts: 0n,
        readOnly: true,
      }).tableNameOf;
    checkArguments(fn, argsJson, tableOf);
    try {
      const run = runInFrame(frame, () => fn.invoke(`[${argsJson}]`, frame.requestId));
      const json = frame.kind === "action" ? await run : await withTimeout(run, fn.path);
      checkResult(fn, json, tableOf);
      return json;
    } finally {
      frame.ended = frame.kind !== "action";
    }
  }

  async #settle(frame: Frame, run: () => Promise<string>): Promise<Outcome> {
    try {
      const json = await run();
      return {
        ok: true,
        json,
        ts: this.#lastTs,
        changes: frame.transaction?.changes ?? new Map(),
        logLines: frame.logs,
      };
    } catch (error) {
      const { redact, functionsFolder: functions } = this.options;
      const failure = describeFailure(error, { requestId: frame.requestId, redact, functions });
      if (redact) process.stderr.write(`${frame.path}: ${textOf(error)}\n`);
      return { ok: false, failure, logLines: redact ? [] : frame.logs };
    }
  }

  #frame(kind: FunctionKind, path: string, caller: Caller, transaction?: Transaction): Frame {
    return {
      kind,
      path: canonicalPath(path),
      caller,
      requestId: randomBytes(8).toString("hex"),
      ...(transaction === undefined ? {} : { transaction }),
      now: clock(),
      logs: [],
      streams: new Map(),
      journal: { before: null, after: null, used: false },
      gate: Promise.resolve(),
      ended: false,
    };
  }
}

function nanoseconds(): bigint {
  return BigInt(clock()) * 1_000_000n;
}

function reviveReply(reply: string): Outcome {
  const { json, ts, logLines } = JSON.parse(reply) as {
    json: string;
    ts: string;
    logLines: string[];
  };
  return { ok: true, json, ts: BigInt(ts), changes: new Map(), logLines };
}

async function withTimeout(run: Promise<string>, path: string): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = startTimer(() => {
      reject(new FunctionError(`${path} did not finish within ${FUNCTION_TIMEOUT_MS} ms`));
    }, FUNCTION_TIMEOUT_MS);
  });
  try {
    return await Promise.race([run, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
