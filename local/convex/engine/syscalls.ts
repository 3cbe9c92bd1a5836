// The calls that `convex/server` 1.48.0 makes into its host (`globalThis.Convex`): JSON texts in, JSON
// texts out. This is an internal interface of that package: the version is pinned, and the client
// tests would notice a change. Which function calls is read from the current frame.
import type { JSONValue } from "convex/values";
import { convexToJson } from "convex/values";
import type { Engine } from "./engine.ts";
import { convexErrorData, textOf } from "./errors.ts";
import { currentFrame, type Frame } from "./frame.ts";
import { type PageRequest, readPage, type SerializedQuery, Stream } from "./query.ts";
import { storageCalls } from "./storage.ts";
import type { Transaction } from "./transaction.ts";

type Arguments = Record<string, JSONValue>;
type SyncCall = (frame: Frame, args: Arguments) => JSONValue;
/** The result as a JSON text: documents are passed on as they are stored. */
type AsyncCall = (frame: Frame, args: Arguments) => string | Promise<string>;

const OUTSIDE = "The Convex database and auth objects are being used outside of a Convex function.";

export function installSyscalls(engine: Engine): void {
  const asyncCalls: Record<string, AsyncCall> = {
    ...databaseCalls,
    ...metadataCalls,
    ...functionCalls(engine),
    ...schedulerCalls(engine),
    ...storageCalls(engine),
  };
  let streams = 0;
  const syncCalls: Record<string, SyncCall> = {
    "1.0/queryStream": (frame, { query }) => {
      const queryId = ++streams;
      const serialized = query as unknown as SerializedQuery;
      frame.streams.set(queryId, new Stream(transactionOf(frame), serialized));
      return { queryId };
    },
    "1.0/queryCleanup": (frame, { queryId }) => {
      frame.streams.delete(queryId as number);
      return {};
    },
    "1.0/db/normalizeId": (frame, { table, idString }) => {
      const found = transactionOf(frame).tableNameOf(idString as string);
      return { id: found === table ? (idString as string) : null };
    },
    "1.0/getSnapshotTs": (frame) => convexToJson(transactionOf(frame).ts) as JSONValue,
  };
  const host = {
    syscall: (operation: string, argsJson: string): string => {
      const call = syncCalls[operation];
      if (call === undefined) throw unknownCall(operation);
      return JSON.stringify(call(requireFrame(), JSON.parse(argsJson) as Arguments));
    },
    asyncSyscall: async (operation: string, argsJson: string): Promise<string> => {
      const frame = requireFrame();
      const call = asyncCalls[operation];
      if (call === undefined) throw unknownCall(operation);
      const args = JSON.parse(argsJson) as Arguments;
      if (frame.transaction === undefined) return await call(frame, args);
      // A nested function has the transaction to itself until it ends.
      for (let gate: unknown; gate !== frame.gate; ) {
        gate = frame.gate;
        await frame.gate;
      }
      requireFrame();
      return await call(frame, args);
    },
    jsSyscall: (operation: string): never => {
      throw unknownCall(operation);
    },
  };
  Object.assign(globalThis, { Convex: { ...host, jsSyscall: engine.blobs.jsSyscall } });
}

function unknownCall(operation: string): Error {
  return new Error(`Unknown async operation: ${operation} is not supported by this Convex host`);
}

function requireFrame(): Frame {
  const frame = currentFrame();
  if (frame === undefined) throw new Error(OUTSIDE);
  if (frame.ended) {
    throw new Error(`${frame.path} has already returned: a promise in it was not awaited.`);
  }
  return frame;
}

export function transactionOf(frame: Frame): Transaction {
  if (frame.transaction === undefined) {
    throw new Error("Actions have no database: use ctx.runQuery or ctx.runMutation");
  }
  return frame.transaction;
}

const databaseCalls: Record<string, AsyncCall> = {
  "1.0/get": (frame, args) => {
    const transaction = transactionOf(frame);
    const id = args.id as string;
    const table = transaction.requireTable(id, "get", args.table as string | undefined);
    if (table.schema.name.startsWith("_") !== args.isSystem) {
      throw new Error(
        args.isSystem
          ? "User tables can only be accessed from db.get()."
          : "System tables can only be accessed from db.system.get().",
      );
    }
    return transaction.get(id, "get") ?? "null";
  },
  "1.0/insert": (frame, { table, value }) => {
    const id = transactionOf(frame).insert(table as string, value as JSONValue);
    return JSON.stringify({ _id: id });
  },
  "1.0/shallowMerge": (frame, { id, value, table }) => {
    requireUserTable(frame, id);
    transactionOf(frame).patch(id as string, value as Arguments, table as string | undefined);
    return "null";
  },
  "1.0/replace": (frame, { id, value, table }) => {
    requireUserTable(frame, id);
    transactionOf(frame).replace(id as string, value as JSONValue, table as string | undefined);
    return "null";
  },
  "1.0/remove": (frame, { id, table }) => {
    requireUserTable(frame, id);
    return transactionOf(frame).remove(id as string, table as string | undefined);
  },
  "1.0/count": (frame, { table }) => {
    const transaction = transactionOf(frame);
    const query: SerializedQuery = {
      source: { type: "FullTableScan", tableName: table as string, order: null },
      operators: [],
    };
    const stream = new Stream(transaction, query);
    let count = 0;
    while (stream.next() !== null) count++;
    return JSON.stringify(count);
  },
  "1.0/queryStreamNext": (frame, { queryId }) => {
    const json = frame.streams.get(queryId as number)?.next() ?? null;
    return json === null ? '{"value":null,"done":true}' : `{"value":${json},"done":false}`;
  },
  "1.0/queryPage": (frame, args) => {
    const { journal } = frame;
    if (journal.used) {
      throw new Error("This query or mutation function ran multiple paginated queries.");
    }
    journal.used = true;
    const request = args as unknown as PageRequest;
    const page = readPage(transactionOf(frame), request, journal.before);
    journal.after = page.continueCursor;
    const { page: documents, ...rest } = page;
    return `{"page":[${documents.join(",")}],${JSON.stringify(rest).slice(1)}`;
  },
};

function requireUserTable(frame: Frame, id: JSONValue | undefined): void {
  const table = transactionOf(frame).tableNameOf(String(id));
  if (table?.startsWith("_")) throw new Error("System tables (prefixed with `_`) are read-only.");
}

const metadataCalls: Record<string, AsyncCall> = {
  "1.0/getUserIdentity": (frame) => JSON.stringify(frame.caller.identity),
  "1.0/getFunctionMetadata": (frame) => JSON.stringify({ name: frame.path, componentPath: "" }),
  "1.0/getDeploymentMetadata": () => JSON.stringify({ name: "local", region: null, class: "s16" }),
  "1.0/getRequestMetadata": (frame) =>
    JSON.stringify({
      ip: null,
      userAgent: null,
      requestId: frame.requestId,
      scheduledFunctionId: frame.caller.scheduledFunctionId ?? null,
      authToken: null,
    }),
  "1.0/getTransactionMetrics": (frame) => JSON.stringify(transactionOf(frame).metrics),
};

function functionCalls(engine: Engine): Record<string, AsyncCall> {
  const fromAction =
    (kind: "query" | "mutation" | "action"): AsyncCall =>
    async (frame, args) => {
      const caller = { ...frame.caller, isTrusted: true };
      return await rethrowing(() =>
        engine.callFromAction(kind, addressOf(args), argsOf(args), caller),
      );
    };
  return {
    "1.0/actions/query": fromAction("query"),
    "1.0/actions/mutation": fromAction("mutation"),
    "1.0/actions/action": fromAction("action"),
    "1.0/runUdf": async (frame, args) => {
      const kind = args.udfType === "mutation" ? "mutation" : "query";
      if (kind === "mutation" && frame.kind === "query") {
        throw new Error("Queries cannot run mutations");
      }
      const run = rethrowing(() => engine.runNested(frame, kind, addressOf(args), argsOf(args)));
      frame.gate = run.catch(() => undefined);
      return await run;
    },
  };
}

function addressOf(args: Arguments): string {
  if (typeof args.name === "string") return args.name;
  throw new Error("Components and function handles are not supported by this Convex host");
}

function argsOf(args: Arguments): string {
  return JSON.stringify(args.args);
}

/** Passes an error through a syscall: `convex/server` re-makes it from `message` and `data`. */
async function rethrowing(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    const data = convexErrorData(error);
    throw Object.assign(new Error(textOf(error)), data === undefined ? {} : { data });
  }
}

function schedulerCalls(engine: Engine): Record<string, AsyncCall> {
  return {
    "1.0/schedule": (frame, args) => {
      const transaction = transactionOf(frame);
      transaction.requireWritable();
      transaction.countScheduled();
      return JSON.stringify(engine.scheduler.insert(transaction, addressOf(args), args));
    },
    "1.0/cancel_job": (frame, { id }) => {
      engine.scheduler.cancel(transactionOf(frame), id as string);
      return "null";
    },
    "1.0/actions/schedule": async (_frame, args) =>
      await engine.write(async (transaction) =>
        JSON.stringify(engine.scheduler.insert(transaction, addressOf(args), args)),
      ),
    "1.0/actions/cancel_job": async (_frame, { id }) =>
      await engine.write(async (transaction) => {
        engine.scheduler.cancel(transaction, id as string);
        return "null";
      }),
  };
}
