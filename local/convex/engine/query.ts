// `ctx.db.query(…)`: streams and pages over an index range, with filters and limits. A stream notes
// only as much of its range as it has really looked at, so that a live query over the newest rows is
// not run again for a change in the oldest.
import { createHash } from "node:crypto";
import type { JSONValue } from "convex/values";
import { jsonToConvex } from "convex/values";
import { passes } from "./filters.ts";
import { afterKey, type KeyRange, type RangeExpression, rangeOf } from "./keys.ts";
import type { Fields, Index, Row, Table } from "./store.ts";
import { NO_INDEX, type Transaction } from "./transaction.ts";

export interface SerializedQuery {
  source:
    | { type: "FullTableScan"; tableName: string; order: "asc" | "desc" | null }
    | {
        type: "IndexRange";
        indexName: string;
        range: RangeExpression[];
        order: "asc" | "desc" | null;
      }
    | { type: "Search"; indexName: string };
  operators: ({ filter: JSONValue } | { limit: number })[];
}

const FIRST_BATCH = 32;
const MAX_BATCH = 512;

interface Source {
  /** null: a table that nothing was ever written to. */
  index: Index | null;
  range: KeyRange;
  order: "asc" | "desc";
}

function resolve(transaction: Transaction, query: SerializedQuery): Source {
  const { source } = query;
  if (source.type === "Search") throw new Error("Search indexes are not supported by this host");
  const order = source.order ?? "asc";
  if (source.type === "FullTableScan") {
    const table = transaction.store.table(source.tableName);
    const index = table?.indexes.get("by_creation_time") ?? null;
    return { index, range: rangeOf("by_creation_time", ["_creationTime"], []), order };
  }
  const dot = source.indexName.indexOf(".");
  const table = transaction.store.table(source.indexName.slice(0, dot));
  const index = requireIndex(table, source.indexName.slice(dot + 1), source.indexName);
  return { index, range: rangeOf(source.indexName, index.fields, source.range), order };
}

function requireIndex(table: Table | undefined, name: string, fullName: string): Index {
  const index = table?.indexes.get(name);
  if (index === undefined) throw new Error(`Index ${fullName} not found.`);
  return index;
}

/** Rows of a source in order, fetched in growing batches. */
class Reader {
  readonly #transaction: Transaction;
  readonly #index: Index | null;
  readonly #order: "asc" | "desc";
  #rest: KeyRange;
  readonly #noted: KeyRange;
  readonly #full: KeyRange;
  #batch: Row[] = [];
  #at = 0;
  #size = FIRST_BATCH;
  #exhausted = false;

  constructor(transaction: Transaction, source: Source, range: KeyRange) {
    this.#transaction = transaction;
    this.#index = source.index;
    this.#order = source.order;
    this.#rest = range;
    this.#full = range;
    transaction.countRange();
    const start = source.order === "asc" ? range.lo : range.hi;
    this.#noted = transaction.reads.add(source.index?.id ?? NO_INDEX, { lo: start, hi: start });
  }

  next(): Row | null {
    if (this.#at === this.#batch.length && !this.#exhausted) this.#fetch();
    const row = this.#batch[this.#at];
    if (row === undefined) {
      // Seen to its end: a row that appears anywhere in the range matters.
      this.#noted.lo = this.#full.lo;
      this.#noted.hi = this.#full.hi;
      return null;
    }
    this.#at++;
    if (this.#order === "asc") this.#noted.hi = afterKey(row.key);
    else this.#noted.lo = row.key;
    this.#transaction.countRow(row);
    return row;
  }

  #fetch(): void {
    const { store } = this.#transaction;
    this.#batch =
      this.#index === null ? [] : store.scan(this.#index.id, this.#rest, this.#order, this.#size);
    this.#at = 0;
    this.#exhausted = this.#batch.length < this.#size;
    this.#size = Math.min(this.#size * 4, MAX_BATCH);
    const last = this.#batch.at(-1);
    if (last === undefined) return;
    this.#rest =
      this.#order === "asc"
        ? { lo: afterKey(last.key), hi: this.#rest.hi }
        : { lo: this.#rest.lo, hi: last.key };
  }
}

/** Applies filters and limits in the order in which they were chained. */
class Operators {
  readonly #operators: SerializedQuery["operators"];
  readonly #left: number[];

  constructor(operators: SerializedQuery["operators"]) {
    this.#operators = operators;
    this.#left = operators.map((operator) => ("limit" in operator ? operator.limit : 0));
  }

  get isSpent(): boolean {
    return this.#operators.some((operator, i) => "limit" in operator && this.#left[i] === 0);
  }

  accepts(row: Row): boolean {
    let document: Fields | undefined;
    for (const [i, operator] of this.#operators.entries()) {
      if ("filter" in operator) {
        document ??= jsonToConvex(JSON.parse(row.json)) as Fields;
        if (!passes(operator.filter, document)) return false;
      } else {
        this.#left[i] = (this.#left[i] as number) - 1;
      }
    }
    return true;
  }
}

export class Stream {
  readonly #reader: Reader;
  readonly #operators: Operators;

  constructor(transaction: Transaction, query: SerializedQuery) {
    const source = resolve(transaction, query);
    this.#reader = new Reader(transaction, source, source.range);
    this.#operators = new Operators(query.operators);
  }

  /** The next document's JSON, or null at the end. */
  next(): string | null {
    while (!this.#operators.isSpent) {
      const row = this.#reader.next();
      if (row === null) return null;
      if (this.#operators.accepts(row)) return row.json;
    }
    return null;
  }
}

// ---- pages ----

export interface PageRequest {
  query: SerializedQuery;
  cursor: string | null;
  endCursor?: string | null;
  pageSize: number;
  maximumRowsRead?: number | null;
  maximumBytesRead?: number | null;
}

export interface Page {
  /** Documents as JSON texts. */
  page: string[];
  isDone: boolean;
  continueCursor: string;
  splitCursor: string | null;
  pageStatus: "SplitRecommended" | "SplitRequired" | null;
}

/** A position between rows: just after the row of a key, or after everything. */
type Position = Buffer | "end";

/** `journalEnd` is where the page ended on its first run: it keeps ending there when run again. */
export function readPage(
  transaction: Transaction,
  request: PageRequest,
  journalEnd: string | null,
): Page {
  const { query, pageSize } = request;
  const source = resolve(transaction, query);
  const fingerprint = fingerprintOf(query);
  const from = request.cursor === null ? null : decodeCursor(request.cursor, fingerprint);
  const endCursor = request.endCursor ?? journalEnd;
  const until = endCursor === null ? null : decodeCursor(endCursor, fingerprint);
  if (from === "end") return emptyPage(request.cursor as string);

  const reader = new Reader(transaction, source, between(source, from, until));
  const operators = new Operators(query.operators);
  const page: { key: Buffer; json: string }[] = [];
  let rows = 0;
  let bytes = 0;
  let last: Buffer | null = null;
  let ended = pageSize === 0 && until === null;
  let cut = false;
  while (!ended) {
    if (until === null && page.length >= pageSize) break;
    cut =
      (request.maximumRowsRead != null && rows >= request.maximumRowsRead) ||
      (request.maximumBytesRead != null && rows > 0 && bytes >= request.maximumBytesRead);
    if (cut) break;
    const row = operators.isSpent ? null : reader.next();
    if (row === null) {
      ended = true;
      break;
    }
    rows++;
    bytes += row.json.length;
    last = row.key;
    if (operators.accepts(row)) page.push({ key: row.key, json: row.json });
  }

  const stopped: Position | null = ended && pageSize > 0 ? (until ?? "end") : last;
  const middle = page[Math.floor((page.length - 1) / 2)];
  return {
    page: page.map((row) => row.json),
    isDone: stopped === "end",
    continueCursor:
      stopped === null
        ? (request.cursor ?? startCursor(fingerprint))
        : encodeCursor(stopped, fingerprint),
    splitCursor: page.length > 1 && middle ? encodeCursor(middle.key, fingerprint) : null,
    pageStatus: cut && until !== null ? "SplitRequired" : null,
  };
}

function emptyPage(cursor: string): Page {
  return { page: [], isDone: true, continueCursor: cursor, splitCursor: null, pageStatus: null };
}

/** The part of a source after one position and up to another, in the direction of reading. */
function between(source: Source, from: Buffer | null, until: Position | null): KeyRange {
  const { lo, hi } = source.range;
  const bounded = until === null || until === "end" ? null : until;
  if (source.order === "asc") {
    return {
      lo: from === null || from.length === 0 ? lo : afterKey(from),
      hi: bounded === null ? hi : afterKey(bounded),
    };
  }
  return {
    lo: bounded === null ? lo : bounded,
    hi: from === null || from.length === 0 ? hi : from,
  };
}

function fingerprintOf(query: SerializedQuery): string {
  return createHash("sha256").update(JSON.stringify(query)).digest("base64url").slice(0, 12);
}

function startCursor(fingerprint: string): string {
  return encodeCursor(Buffer.alloc(0), fingerprint);
}

function encodeCursor(position: Position, fingerprint: string): string {
  return `${fingerprint}.${position === "end" ? "end" : position.toString("base64url")}`;
}

function decodeCursor(cursor: string, fingerprint: string): Position {
  const [owner, position] = cursor.split(".");
  if (owner !== fingerprint || position === undefined) throw new InvalidCursor();
  return position === "end" ? "end" : Buffer.from(position, "base64url");
}

/** Clients that page by themselves recognise these data and begin again from the start. */
export class InvalidCursor extends Error {
  readonly data = { isConvexSystemError: true, paginationError: "InvalidCursor" };

  constructor() {
    super(
      "InvalidCursor: Tried to run a query starting from a cursor, but it looks like this cursor " +
        "is from a different query.",
    );
  }
}
