// The way from a client's request to the engine, the same for HTTP and websocket: faults, then the
// function, then the log.
import { setTimeout as wait } from "node:timers/promises";
import type { Engine, Outcome, RequestKey } from "../engine/engine.ts";
import type { Caller, FunctionKind } from "../engine/frame.ts";
import { canonicalPath } from "../engine/modules.ts";
import { type CallLog, describeCall } from "./call-log.ts";
import type { Faults } from "./faults.ts";

export interface Call {
  kind: FunctionKind;
  path: string;
  argsJson: string;
  caller: Caller;
  request?: RequestKey;
}

export type Reply =
  | { type: "outcome"; outcome: Outcome; drop: boolean }
  | { type: "refused"; status: number; retryAfter?: number };

export class Calls {
  readonly #engine: Engine;
  readonly #log: CallLog;
  readonly #faults: Faults;

  constructor(engine: Engine, log: CallLog, faults: Faults) {
    this.#engine = engine;
    this.#log = log;
    this.#faults = faults;
  }

  async perform(call: Call): Promise<Reply> {
    const path = canonicalPath(call.path);
    const at = performance.timeOrigin + performance.now();
    const begin = performance.now();
    const noted = () => ({ ...call, path, at, ms: performance.now() - begin });
    const fault = this.#faults.take(call.kind, path);
    if (fault?.latencyMs !== undefined || fault?.hold === true) {
      const release = this.#log.hold({ ...call, path, at });
      await (fault.hold === true ? this.#faults.replaced() : wait(fault.latencyMs));
      release();
    }
    if (fault?.status !== undefined) {
      const { status, retryAfter } = fault;
      this.#log.add(describeCall(noted(), { refused: status }));
      return { type: "refused", status, ...(retryAfter === undefined ? {} : { retryAfter }) };
    }
    const outcome = await this.#run(call);
    const drop = Math.random() < (fault?.dropReplyRate ?? 0);
    this.#log.add({ ...describeCall(noted(), outcome), ...(drop ? { dropped: true } : {}) });
    return { type: "outcome", outcome, drop };
  }

  #run({ kind, path, argsJson, caller, request }: Call): Promise<Outcome> {
    if (kind === "query") return this.#engine.runQuery(path, argsJson, caller);
    if (kind === "mutation") return this.#engine.runMutation(path, argsJson, caller, request);
    return this.#engine.runAction(path, argsJson, caller);
  }
}
