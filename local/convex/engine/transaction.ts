// One query's or one top-level mutation's view of the database: reads leave a trace, writes are
// checked as production checks them and go straight into the open SQLite transaction, which the
// runner commits or rolls back. Lives under the engine's lock, for one function run.
import type { JSONValue, Value } from "convex/values";
import { convexToJson, jsonToConvex } from "convex/values";
import { newId, tableNumberOf } from "./ids.ts";
import { encodeKey } from "./keys.ts";
import {
  checkDocument,
  MAX_READ_BYTES,
  MAX_READ_DOCUMENTS,
  MAX_READ_RANGES,
  MAX_SCHEDULED_FUNCTIONS,
  MAX_WRITTEN_BYTES,
  MAX_WRITTEN_DOCUMENTS,
} from "./limits.ts";
import { ReadSet } from "./reads.ts";
import type { Fields, Index, Row, Store, Table, Touched } from "./store.ts";
import { mismatch } from "./validators.ts";

/** Who reads a table that does not exist yet reads this; its creation touches it. */
export const NO_INDEX = -1;

/** A document before and after a transaction; null where it did not exist. */
export interface Change {
  table: string;
  before: string | null;
  after: string | null;
}

/** The smallest step of a creation time: one unit in the last place of today's milliseconds. */
const CREATION_STEP_MS = 2 ** -12;

export class Transaction {
  readonly store: Store;
  readonly reads = new ReadSet();
  /** The commit timestamp that this transaction gets if it writes, in nanoseconds. */
  readonly ts: bigint;
  readonly readOnly: boolean;
  touched: Touched[] = [];
  changes = new Map<string, Change>();
  /** System-table writes that something outside the database must follow (timers). */
  scheduled = 0;
  #lastCreationTime: number;
  #readBytes = 0;
  #readDocuments = 0;
  #readRanges = 0;
  #writtenBytes = 0;
  #writtenDocuments = 0;

  constructor(store: Store, options: { ts: bigint; readOnly: boolean }) {
    this.store = store;
    this.ts = options.ts;
    this.readOnly = options.readOnly;
    this.#lastCreationTime = Number(options.ts / 1000n) / 1000;
  }

  get metrics() {
    return {
      bytesRead: this.#readBytes,
      documentsRead: this.#readDocuments,
      databaseQueries: this.#readRanges,
      bytesWritten: this.#writtenBytes,
      documentsWritten: this.#writtenDocuments,
      functionsScheduled: this.scheduled,
    };
  }

  /** The end of time for this transaction: commits after it must come later than its documents. */
  get lastTs(): bigint {
    const created = BigInt(Math.ceil(this.#lastCreationTime * 1000)) * 1000n;
    return created > this.ts ? created : this.ts;
  }

  // ---- reading ----

  /** The table of a well-formed id. */
  tableOf(id: string): Table | null {
    const number = tableNumberOf(id);
    return number === null ? null : (this.store.tableByNumber(number) ?? null);
  }

  readonly tableNameOf = (id: string): string | null => this.tableOf(id)?.schema.name ?? null;

  get(id: string, operation: string, expectedTable?: string): string | null {
    const table = this.requireTable(id, operation, expectedTable);
    const byId = table.indexes.get("by_id") as Index;
    this.countRange();
    this.reads.addKey(byId.id, encodeKey([id, id]));
    const json = this.store.get(id);
    if (json !== null) this.countDocument(json);
    return json;
  }

  requireTable(id: string, operation: string, expectedTable?: string): Table {
    const table = this.tableOf(id);
    if (table === null) {
      throw new Error(
        `Invalid argument \`id\` for \`db.${operation}\`: Unable to decode ID: ${JSON.stringify(id)} is not a valid ID`,
      );
    }
    if (expectedTable !== undefined && table.schema.name !== expectedTable) {
      throw new Error(
        `Invalid argument \`id\` for \`db.${operation}\`: expected an ID of table ` +
          `'${expectedTable}', got one of table '${table.schema.name}'`,
      );
    }
    return table;
  }

  countRange(): void {
    if (++this.#readRanges > MAX_READ_RANGES) {
      throw new Error(
        `Too many reads in a single function execution (limit: ${MAX_READ_RANGES} ranges)`,
      );
    }
  }

  countRow(row: Row): void {
    this.countDocument(row.json);
  }

  countDocument(json: string): void {
    this.#readBytes += json.length;
    if (++this.#readDocuments > MAX_READ_DOCUMENTS) {
      throw new Error(
        `Too many documents read in a single function execution (limit: ${MAX_READ_DOCUMENTS})`,
      );
    }
    if (this.#readBytes > MAX_READ_BYTES) {
      throw new Error(
        `Too many bytes read in a single function execution (limit: ${MAX_READ_BYTES} bytes)`,
      );
    }
  }

  // ---- writing ----

  insert(tableName: string, value: JSONValue): string {
    this.requireWritable();
    const table = this.store.table(tableName) ?? this.#createTable(tableName);
    const fields = this.fieldsOf(value);
    if ("_id" in fields || "_creationTime" in fields) {
      throw new Error(
        "`db.insert` was given a document with the system field '_id' or '_creationTime'",
      );
    }
    const id = newId(table.number);
    this.#lastCreationTime += CREATION_STEP_MS;
    this.#write(table, id, null, { ...fields, _id: id, _creationTime: this.#lastCreationTime });
    return id;
  }

  #createTable(name: string): Table {
    this.touched.push({ index: NO_INDEX, key: Buffer.alloc(0) });
    return this.store.createUndeclared(name);
  }

  /** `{"$undefined": null}` at the top level of a patch removes the field. */
  patch(id: string, value: Record<string, JSONValue>, expectedTable?: string): void {
    this.requireWritable();
    const { table, before } = this.#existing(id, "patch", expectedTable);
    const after: Fields = { ...before };
    for (const [name, json] of Object.entries(value)) {
      if (json !== null && typeof json === "object" && "$undefined" in json) delete after[name];
      else after[name] = this.resolve(json);
    }
    keepSystemFields("patch", before, after);
    this.#write(table, id, before, after);
  }

  replace(id: string, value: JSONValue, expectedTable?: string): void {
    this.requireWritable();
    const { table, before } = this.#existing(id, "replace", expectedTable);
    const after = {
      _id: before._id,
      _creationTime: before._creationTime,
      ...this.fieldsOf(value),
    };
    keepSystemFields("replace", before, after);
    this.#write(table, id, before, after);
  }

  remove(id: string, expectedTable?: string): string {
    this.requireWritable();
    const { table, before } = this.#existing(id, "delete", expectedTable);
    this.#write(table, id, before, null);
    return JSON.stringify(convexToJson(before as Value));
  }

  requireWritable(): void {
    if (this.readOnly) throw new Error("Only mutations can write to the database");
  }

  #existing(id: string, operation: string, expectedTable?: string) {
    const table = this.requireTable(id, operation, expectedTable);
    const json = this.get(id, operation, expectedTable);
    if (json === null) throw new Error(`${operation} on nonexistent document ID ${id}`);
    return { table, before: jsonToConvex(JSON.parse(json)) as Fields };
  }

  private fieldsOf(value: JSONValue): Fields {
    const fields = this.resolve(value);
    if (fields === null || typeof fields !== "object" || Array.isArray(fields)) {
      throw new Error("A document must be an object");
    }
    return fields as Fields;
  }

  /** Commit timestamps are known from the start here: nothing else commits in between. */
  private resolve(value: JSONValue): Value {
    const text = JSON.stringify(value);
    if (!text.includes('"$commitTs"')) return jsonToConvex(value);
    const ts = convexToJson(this.ts) as { $integer: string };
    return jsonToConvex(
      JSON.parse(text, (_key, item: unknown) =>
        item !== null && typeof item === "object" && "$commitTs" in item ? ts : item,
      ) as JSONValue,
    );
  }

  #write(table: Table, id: string, before: Fields | null, after: Fields | null): void {
    let next: { fields: Fields; json: string } | null = null;
    if (after !== null) {
      this.#writtenBytes += checkDocument(after);
      this.#checkSchema(table, after);
      next = { fields: after, json: JSON.stringify(convexToJson(after as Value)) };
    }
    if (++this.#writtenDocuments > MAX_WRITTEN_DOCUMENTS) {
      throw new Error(
        `Too many documents written in a single function execution (limit: ${MAX_WRITTEN_DOCUMENTS})`,
      );
    }
    if (this.#writtenBytes > MAX_WRITTEN_BYTES) {
      throw new Error(
        `Too many bytes written in a single function execution (limit: ${MAX_WRITTEN_BYTES} bytes)`,
      );
    }
    this.touched.push(...this.store.write(table, id, before, next));
    const known = this.changes.get(id);
    this.changes.set(id, {
      table: table.schema.name,
      before: known === undefined ? stringify(before) : known.before,
      after: next?.json ?? null,
    });
  }

  #checkSchema(table: Table, document: Fields): void {
    const validator = table.schema.documents;
    if (validator === null) return;
    const { _id, _creationTime, ...own } = document;
    const problem = mismatch(validator, own as Value, this.tableNameOf);
    if (problem === null) return;
    throw new Error(
      `Failed to insert or update a document in table "${table.schema.name}" because it does ` +
        `not match the schema: ${problem}`,
    );
  }

  countScheduled(): void {
    if (++this.scheduled > MAX_SCHEDULED_FUNCTIONS) {
      throw new Error(
        `Too many functions scheduled by this mutation (limit: ${MAX_SCHEDULED_FUNCTIONS})`,
      );
    }
  }

  // ---- nested mutations ----

  /** Runs work whose writes vanish, alone, when it throws. */
  async nested<T>(work: () => Promise<T>): Promise<T> {
    const savepoint = this.store.savepoint();
    const touched = this.touched.length;
    const changes = new Map(this.changes);
    try {
      const result = await work();
      this.store.release(savepoint);
      return result;
    } catch (error) {
      this.store.rollbackTo(savepoint);
      this.store.dropUncreated();
      this.touched.length = touched;
      this.changes = changes;
      throw error;
    }
  }
}

function stringify(document: Fields | null): string | null {
  return document === null ? null : JSON.stringify(convexToJson(document as Value));
}

function keepSystemFields(operation: string, before: Fields, after: Fields): void {
  for (const name of ["_id", "_creationTime"]) {
    if (after[name] !== before[name]) {
      throw new Error(
        `\`db.${operation}\` was given a different value for the system field '${name}'`,
      );
    }
  }
}
