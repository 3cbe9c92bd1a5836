// What the message functions must do, as a specification: one message, one file that its tool writes,
// and the calls that change them. Pure, and knowing nothing of app/convex: the replay compares the two.

export type Status = "processing" | "completed" | "failed" | "cancelled";
/** An attempt of the run, and the worker that works on it. */
export type Attempt = 1 | 2;

/** The answer of the model, as far as it is stored: a turn with a call, and one without. */
export const HALF_TURN = "on";
export const TURN = "one";
export const WHOLE = "onetwo";
export const CANCELLED_TEXT = "Message was cancelled.";
export const FAILURE_TEXT =
  "I'm sorry, an error occurred while I was processing your request. Please let me know what else you need.";

export interface Stored {
  readonly status: Status;
  readonly text: string;
  /** The tool call of the first turn: not there, without its result, with it. */
  readonly call: "none" | "open" | "done";
  /** Whose writes are taken: the attempt that began last. */
  readonly owner: 0 | Attempt;
  readonly runId: boolean;
  readonly error: string | null;
  /** What the tool does. */
  readonly file: boolean;
}

export const CREATED: Stored = {
  ...{ status: "processing", text: "", call: "none", owner: 0 },
  ...{ runId: false, error: null, file: false },
};

/** A call of a worker. `base: null`: the whole text goes, else what is new behind `base`. */
export type Write =
  | { readonly fn: "begin" }
  | { readonly fn: "text"; readonly base: string | null; readonly text: string }
  | { readonly fn: "turn"; readonly text: string }
  | { readonly fn: "effect" }
  | { readonly fn: "result"; readonly text: string | null }
  | {
      readonly fn: "end";
      readonly base: string | null;
      readonly text: string;
      readonly status: "completed" | "failed";
    }
  | { readonly fn: "cancelled"; readonly text: string }
  | { readonly fn: "renew" };

/** A call of the host, or of the deployment itself. */
export type HostCall =
  | { readonly fn: "trigger failed" }
  | { readonly fn: "run id" }
  | { readonly fn: "cancel" }
  | { readonly fn: "repair"; readonly status: "failed" | "cancelled" }
  /** The message's own check; `late`: the lease is over, or the run has not begun for a day. */
  | { readonly fn: "check"; readonly late: boolean };

export type Call =
  | (Write & {
      readonly by: Attempt;
      /** A write with this number or a later one of the same attempt has taken effect. */
      readonly passed: boolean;
    })
  | HostCall;

export interface Answer {
  readonly status: Status;
  readonly applied: boolean;
  /** Why not: a newer attempt, or another text than expected. */
  readonly why?: "superseded" | "length";
  /** Of a check: there will be another one. */
  readonly again?: boolean;
}

export type Rules = (stored: Stored, call: Call) => { stored: Stored; answer: Answer };

/** The rules of the store. */
export const rules: Rules = (stored, call) => {
  const { status } = stored;
  const same = (why?: Answer["why"], applied = false) => ({
    stored,
    answer: { status, applied, ...(why === undefined ? {} : { why }) },
  });
  const change = (next: Partial<Stored>) => {
    const after = { ...stored, ...next };
    return { stored: after, answer: { status: after.status, applied: true } };
  };
  if (call.fn === "run id") return change({ runId: true });
  if (status !== "processing") return same();
  switch (call.fn) {
    case "trigger failed":
      return change({ status: "failed", text: FAILURE_TEXT });
    case "cancel":
      return change({ status: "cancelled", text: stored.text || CANCELLED_TEXT });
    case "repair":
      if (call.status === "cancelled") {
        return change({ status: "cancelled", text: stored.text || CANCELLED_TEXT });
      }
      return change({ status: "failed", text: stored.text || FAILURE_TEXT, error: "RUN_LOST" });
    case "check": {
      if (!call.late) return { stored, answer: { status, applied: false, again: true } };
      const error = stored.owner === 0 ? "RUN_NEVER_STARTED" : "RUN_LOST";
      return change({ status: "failed", text: stored.text || FAILURE_TEXT, error });
    }
    default:
      return write(stored, call, same, change);
  }
};

type Same = (why?: Answer["why"], applied?: boolean) => ReturnType<Rules>;
type Change = (next: Partial<Stored>) => ReturnType<Rules>;

function write(
  stored: Stored,
  call: Extract<Call, { by: Attempt }>,
  same: Same,
  change: Change,
): ReturnType<Rules> {
  if (stored.owner > call.by) return same("superseded");
  // Files carry the attempt, not the write's number: what is written is the same every time.
  if (call.fn === "effect") return change({ file: true });
  if (call.passed) return same(undefined, true);
  switch (call.fn) {
    case "begin": {
      const text = stored.call === "none" ? "" : stored.text;
      return change({ owner: call.by, text, runId: true });
    }
    case "text":
    case "end": {
      if (call.base !== null && call.base !== stored.text) return same("length");
      if (call.fn === "text") return change({ text: call.text });
      const error = call.status === "failed" ? "MODEL_AUTH" : null;
      return change({ text: call.text, status: call.status, error });
    }
    case "turn":
      return change({ text: call.text, call: stored.call === "done" ? "done" : "open" });
    case "result":
      return change({ ...(call.text === null ? {} : { text: call.text }), call: "done" });
    case "renew":
      return change({});
    case "cancelled": {
      const text = call.text.length > stored.text.length ? call.text : stored.text;
      return change({ status: "cancelled", text: text || CANCELLED_TEXT });
    }
  }
}
