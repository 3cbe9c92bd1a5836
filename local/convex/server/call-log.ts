// What was called, when, and what it changed: a bounded ring that tests read instead of trusting the
// code under test. Holds no arguments and no results, so no secret can be read from it.
import type { Outcome } from "../engine/engine.ts";
import type { FunctionKind } from "../engine/frame.ts";

export interface CallEntry {
  seq: number;
  /** When the call came in; epoch milliseconds with fractions. */
  at: number;
  path: string;
  kind: FunctionKind;
  ms: number;
  ok: boolean;
  /** The code of the ConvexError, or `HTTP <status>` for a refused call. */
  errorCode?: string;
  argsBytes: number;
  messageId?: string;
  documentsChanged: string[];
  /** UTF-16 length of the `content` that was written. */
  wroteText?: number;
  /** UTF-16 length of the message's text after the call, when the message was changed. */
  textLength?: number;
  /** Status of the message document after the call, when one was changed. */
  status?: string;
  /** Run for the sockets that watch it: at first, and again after a commit that touched it. */
  live?: true;
  /** The reply was cut on purpose. */
  dropped?: true;
}

/** A call that a fault rule keeps waiting, before its function runs. */
export interface HeldCall {
  at: number;
  path: string;
  messageId?: string;
}

const CAPACITY = 20_000;

export class CallLog {
  readonly #entries: CallEntry[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #held = new Set<HeldCall>();
  #seq = 0;

  get seq(): number {
    return this.#seq;
  }

  add(entry: Omit<CallEntry, "seq">): void {
    this.#entries.push({ seq: ++this.#seq, ...entry });
    if (this.#entries.length > CAPACITY * 1.1)
      this.#entries.splice(0, this.#entries.length - CAPACITY);
    this.#wake();
  }

  /** Shows a call as held until the returned function is called. */
  hold(call: { path: string; argsJson: string; at: number }): () => void {
    const { messageId } = fieldsOf(call.argsJson);
    const held: HeldCall = { at: call.at, path: call.path };
    if (typeof messageId === "string") held.messageId = messageId;
    this.#held.add(held);
    this.#wake();
    return () => this.#held.delete(held);
  }

  get held(): HeldCall[] {
    return [...this.#held];
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  /** Settles when there is an entry after `seq`, a call is held, or the time is over. */
  async waitBeyond(seq: number, ms: number): Promise<void> {
    if (this.#seq > seq || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
    });
  }

  since(seq: number): CallEntry[] {
    return this.#entries.filter((entry) => entry.seq > seq).slice(-CAPACITY);
  }
}

export function describeCall(
  call: { kind: FunctionKind; path: string; argsJson: string; at: number; ms: number },
  outcome: Outcome | { refused: number },
): Omit<CallEntry, "seq"> {
  const args = fieldsOf(call.argsJson);
  const { kind, path, at, ms } = call;
  const entry: Omit<CallEntry, "seq"> = {
    at,
    path,
    kind,
    ms,
    ok: "ok" in outcome && outcome.ok,
    argsBytes: Buffer.byteLength(call.argsJson),
    documentsChanged: [],
  };
  if (typeof args.messageId === "string") entry.messageId = args.messageId;
  if ("refused" in outcome) entry.errorCode = `HTTP ${outcome.refused}`;
  else if (!outcome.ok) {
    const { code } = fieldsOf(JSON.stringify(outcome.failure.errorData ?? null));
    if (typeof code === "string") entry.errorCode = code;
  } else {
    entry.documentsChanged = [...outcome.changes.keys()];
    const wrote = outcome.changes.size > 0 && typeof args.content === "string";
    if (wrote) entry.wroteText = (args.content as string).length;
    for (const change of outcome.changes.values()) {
      if (change.table !== "messages" || change.after === null) continue;
      const { status, content } = fieldsOf(change.after);
      if (typeof status === "string") entry.status = status;
      if (typeof content === "string") entry.textLength = content.length;
    }
  }
  return entry;
}

function fieldsOf(json: string): Record<string, unknown> {
  try {
    const value = JSON.parse(json) as unknown;
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
