// What the model's server saw and did, told from the sockets' side: tests and the demo measure from
// this log and never from the code under test. Holds everything in memory until a reset.

import { performance } from "node:perf_hooks";

export type LogType = "request" | "first-byte" | "finished" | "client-closed" | "error";

export interface LogEntry {
  seq: number;
  /** Epoch milliseconds with fractions. */
  at: number;
  type: LogType;
  requestId: string;
  /** The last user message of the request, cut to 200 characters. */
  conversation: string;
  messages: number;
  /** Body bytes handed to the socket so far. */
  bytesSent: number;
  /** Delta events sent so far: text, reasoning and tool argument fragments. */
  deltas: number;
  /** The visible text sent so far, whole. */
  text: string;
  /** Which script and turn, or which persona, answers. */
  source: string;
  headers?: Record<string, string>;
  detail?: string;
}

/** One request and how far its answer has come. */
export interface RequestRecord {
  readonly id: string;
  readonly conversation: string;
  readonly body: unknown;
  readonly messages: number;
  bytesSent: number;
  deltas: number;
  text: string;
  readonly source: string;
  over: boolean;
}

export interface WaitFor {
  type?: string | undefined;
  requestId?: string | undefined;
  /** Part of the last user message. */
  contains?: string | undefined;
  /** A request that has sent at least so many deltas. */
  deltas?: number | undefined;
  /** The n-th entry that fits, from 1. */
  count?: number | undefined;
  /** Only entries after this sequence number. */
  since?: number | undefined;
}

const CONVERSATION_CHARS = 200;

/** Now, in epoch milliseconds with fractions. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

export class ModelLog {
  readonly #entries: LogEntry[] = [];
  readonly #requests = new Map<string, RequestRecord>();
  readonly #waiting = new Set<() => void>();
  #seq = 0;
  #nextRequest = 1;

  open(
    userText: string,
    messages: number,
    source: string,
    body: unknown,
    headers: Record<string, string>,
  ): RequestRecord {
    const record: RequestRecord = {
      id: `req-${this.#nextRequest++}`,
      conversation: userText.slice(0, CONVERSATION_CHARS),
      body,
      messages,
      bytesSent: 0,
      deltas: 0,
      text: "",
      source,
      over: false,
    };
    this.#requests.set(record.id, record);
    this.write("request", record, { headers });
    return record;
  }

  write(type: LogType, record: RequestRecord, more: Partial<LogEntry> = {}): void {
    const { id, conversation, messages, bytesSent, deltas, text, source } = record;
    this.#entries.push({
      seq: ++this.#seq,
      at: now(),
      type,
      requestId: id,
      conversation,
      messages,
      bytesSent,
      deltas,
      text,
      source,
      ...more,
    });
    this.#wake();
  }

  /** A delta has gone out: whoever waits for a number of deltas looks again. */
  advanced(): void {
    if (this.#waiting.size > 0) this.#wake();
  }

  entries(since = 0): LogEntry[] {
    return this.#entries.filter((entry) => entry.seq > since);
  }

  request(id: string): RequestRecord | undefined {
    return this.#requests.get(id);
  }

  requests(): RequestRecord[] {
    return [...this.#requests.values()];
  }

  reset(): void {
    this.#entries.length = 0;
    this.#requests.clear();
  }

  /** The entry (or, waiting for deltas, the request) asked for; undefined when time is up. */
  waitFor(wanted: WaitFor, timeoutMs: number): Promise<LogEntry | RequestRecord | undefined> {
    return new Promise((settle) => {
      const look = (): void => {
        const found = this.#find(wanted);
        if (found === undefined) return;
        this.#waiting.delete(look);
        clearTimeout(timer);
        settle(found);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        settle(undefined);
      }, timeoutMs);
      this.#waiting.add(look);
      look();
    });
  }

  #find(wanted: WaitFor): LogEntry | RequestRecord | undefined {
    const fits = (item: { conversation: string }): boolean =>
      wanted.contains === undefined || item.conversation.includes(wanted.contains);
    const nth = (wanted.count ?? 1) - 1;
    if (wanted.deltas !== undefined) {
      const least = wanted.deltas;
      return this.requests().filter(
        (record) =>
          (wanted.requestId === undefined || record.id === wanted.requestId) &&
          fits(record) &&
          record.deltas >= least,
      )[nth];
    }
    return this.entries(wanted.since).filter(
      (entry) =>
        (wanted.type === undefined || entry.type === wanted.type) &&
        (wanted.requestId === undefined || entry.requestId === wanted.requestId) &&
        fits(entry),
    )[nth];
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }
}
