// Which function is running: everything that a syscall or a guarded global needs to know about the
// function that called it, carried along by AsyncLocalStorage. One frame per function run, nested
// runs included.
import { AsyncLocalStorage } from "node:async_hooks";
import type { JSONValue } from "convex/values";
import type { Stream } from "./query.ts";
import type { Transaction } from "./transaction.ts";

export type FunctionKind = "query" | "mutation" | "action";

/** The claims of a verified token, as `ctx.auth.getUserIdentity()` gives them. */
export type Identity = Record<string, JSONValue | undefined> & {
  tokenIdentifier: string;
  subject: string;
  issuer: string;
};

export interface Caller {
  identity: Identity | null;
  /** May call internal functions: the scheduler, other functions, the admin key. */
  isTrusted: boolean;
  scheduledFunctionId?: string;
}

export interface Frame {
  kind: FunctionKind;
  path: string;
  caller: Caller;
  requestId: string;
  /** Absent in actions: each of their calls is a transaction of its own. */
  transaction?: Transaction;
  /** What `Date.now()` says for the whole of a query or mutation, as in production. */
  now: number;
  logs: string[];
  streams: Map<number, Stream>;
  /** Where the page of this query ended when it first ran; shared by nested queries. */
  journal: { before: string | null; after: string | null; used: boolean };
  /** Settles when the nested function that this one waits for has ended. */
  gate: Promise<unknown>;
  /** Set when the run is over: late calls of forgotten promises must not touch the database. */
  ended: boolean;
}

const storage = new AsyncLocalStorage<Frame>();

export function currentFrame(): Frame | undefined {
  return storage.getStore();
}

export function runInFrame<T>(frame: Frame, work: () => Promise<T>): Promise<T> {
  return storage.run(frame, work);
}

/** For timers and servers started while a function runs: they belong to nobody's frame. */
export function outsideFrames<T>(work: () => T): T {
  return storage.exit(work);
}
