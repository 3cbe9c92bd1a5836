// Documents and ordered indexes in one SQLite file. Knows tables, keys and bytes; knows nothing of
// functions, validators or live queries. All calls are synchronous and belong to whoever holds the
// engine's lock. A commit is on disk when `commit` returns (write-ahead log, synchronous=FULL).

import type { Value } from "convex/values";
import { jsonToConvex } from "convex/values";
import Database from "libsql";
import { encodeKey, fieldAt, type KeyRange } from "./keys.ts";
import type { Schema, TableSchema } from "./schema.ts";
import { undeclaredTable } from "./schema.ts";

export type Fields = Record<string, Value | undefined>;

export interface Index {
  id: number;
  name: string;
  fields: string[];
}

export interface Table {
  number: number;
  schema: TableSchema;
  indexes: Map<string, Index>;
}

export interface Row {
  key: Buffer;
  id: string;
  json: string;
}

/** One index entry that a write removed or added: what invalidates those who read there. */
export interface Touched {
  index: number;
  key: Buffer;
}

/** User tables begin here in production; it makes all ids equally long. */
const FIRST_TABLE_NUMBER = 10_001;

// Tables with large rows keep their row ids: SQLite stores those rows better.
const CREATE = `
  CREATE TABLE IF NOT EXISTS tables (name TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS indexes (
    id INTEGER PRIMARY KEY, tbl TEXT NOT NULL, name TEXT NOT NULL, fields TEXT NOT NULL,
    UNIQUE (tbl, name));
  CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, tbl INTEGER NOT NULL, json TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS entries (
    idx INTEGER NOT NULL, key BLOB NOT NULL, id TEXT NOT NULL, PRIMARY KEY (idx, key)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1), ts TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS requests (
    session TEXT NOT NULL, request INTEGER NOT NULL, at REAL NOT NULL, reply TEXT NOT NULL,
    PRIMARY KEY (session, request)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS blobs (id TEXT PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
`;

type Statement = ReturnType<Database.Database["prepare"]>;

export class Store {
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Statement>();
  readonly #tables = new Map<string, Table>();
  readonly #byNumber = new Map<number, Table>();
  #depth = 0;

  constructor(path: string, schema: Schema) {
    this.#db = new Database(path);
    this.#db.exec("PRAGMA journal_mode = WAL");
    this.#db.exec("PRAGMA synchronous = FULL");
    this.#db.exec(CREATE);
    this.begin();
    for (const row of this.#all<{ name: string; number: number }>("SELECT * FROM tables", [])) {
      const known = schema.get(row.name);
      // Documents of a table that the schema no longer names stay readable by id.
      this.#addTable(row.number, known ?? undeclaredTable(row.name));
    }
    for (const table of schema.values()) {
      if (!this.#tables.has(table.name)) this.#createTable(table);
    }
    this.commit();
  }

  close(): void {
    this.#db.close();
  }

  // ---- tables ----

  table(name: string): Table | undefined {
    return this.#tables.get(name);
  }

  tableByNumber(number: number): Table | undefined {
    return this.#byNumber.get(number);
  }

  tables(): Table[] {
    return [...this.#tables.values()];
  }

  /** Forgets a table that was created in a transaction which is being rolled back. */
  dropUncreated(): void {
    const names = new Set(
      this.#all<{ name: string }>("SELECT name FROM tables", []).map((r) => r.name),
    );
    for (const [name, table] of this.#tables) {
      if (names.has(name)) continue;
      this.#tables.delete(name);
      this.#byNumber.delete(table.number);
    }
  }

  createUndeclared(name: string): Table {
    return this.#createTable(undeclaredTable(name));
  }

  #createTable(schema: TableSchema): Table {
    const last = this.#get<{ n: number | null }>("SELECT max(number) AS n FROM tables", []);
    const number = Math.max(last?.n ?? 0, FIRST_TABLE_NUMBER - 1) + 1;
    this.#run("INSERT INTO tables (name, number) VALUES (?, ?)", [schema.name, number]);
    return this.#addTable(number, schema);
  }

  #addTable(number: number, schema: TableSchema): Table {
    const table: Table = { number, schema, indexes: new Map() };
    const stored = this.#all<{ id: number; name: string; fields: string }>(
      "SELECT id, name, fields FROM indexes WHERE tbl = ?",
      [schema.name],
    );
    for (const { id, name, fields } of stored) {
      if (JSON.stringify(schema.indexes.get(name)) === fields) {
        table.indexes.set(name, { id, name, fields: JSON.parse(fields) as string[] });
      } else {
        this.#run("DELETE FROM entries WHERE idx = ?", [id]);
        this.#run("DELETE FROM indexes WHERE id = ?", [id]);
      }
    }
    for (const [name, fields] of schema.indexes) {
      if (!table.indexes.has(name)) this.#createIndex(table, name, fields);
    }
    this.#tables.set(schema.name, table);
    this.#byNumber.set(number, table);
    return table;
  }

  #createIndex(table: Table, name: string, fields: string[]): void {
    this.#run("INSERT INTO indexes (tbl, name, fields) VALUES (?, ?, ?)", [
      table.schema.name,
      name,
      JSON.stringify(fields),
    ]);
    const created = this.#get<{ id: number }>("SELECT id FROM indexes WHERE tbl = ? AND name = ?", [
      table.schema.name,
      name,
    ]);
    const index: Index = { id: (created as { id: number }).id, name, fields };
    table.indexes.set(name, index);
    for (const { id, json } of this.documents(table)) {
      this.#addEntry(index.id, keyOf(index, jsonToConvex(JSON.parse(json)) as Fields), id);
    }
  }

  // ---- documents ----

  documents(table: Table): { id: string; json: string }[] {
    return this.#all("SELECT id, json FROM documents WHERE tbl = ?", [table.number]);
  }

  count(table: Table): number {
    const row = this.#get<{ n: number }>("SELECT count(*) AS n FROM documents WHERE tbl = ?", [
      table.number,
    ]);
    return row?.n ?? 0;
  }

  get(id: string): string | null {
    const row = this.#get<{ json: string }>("SELECT json FROM documents WHERE id = ?", [id]);
    return row?.json ?? null;
  }

  scan(index: number, range: KeyRange, order: "asc" | "desc", limit: number): Row[] {
    const rows = this.#all<{ key: ArrayBuffer; id: string; json: string }>(
      `SELECT e.key AS key, e.id AS id, d.json AS json FROM entries e JOIN documents d ON d.id = e.id
       WHERE e.idx = ? AND e.key >= ? AND e.key < ? ORDER BY e.key ${order} LIMIT ?`,
      [index, range.lo, range.hi, limit],
    );
    return rows.map(({ key, id, json }) => ({ key: Buffer.from(key), id, json }));
  }

  /** Writes a document (or removes it, with `after` null) and every index entry that changes. */
  write(
    table: Table,
    id: string,
    before: Fields | null,
    after: { fields: Fields; json: string } | null,
  ): Touched[] {
    const touched: Touched[] = [];
    for (const index of table.indexes.values()) {
      const old = before === null ? null : keyOf(index, before);
      const next = after === null ? null : keyOf(index, after.fields);
      if (old !== null) touched.push({ index: index.id, key: old });
      if (old !== null && next !== null && old.equals(next)) continue;
      if (old !== null) this.#run("DELETE FROM entries WHERE idx = ? AND key = ?", [index.id, old]);
      if (next !== null) {
        touched.push({ index: index.id, key: next });
        this.#addEntry(index.id, next, id);
      }
    }
    if (after === null) this.#run("DELETE FROM documents WHERE id = ?", [id]);
    else if (before === null) {
      this.#run("INSERT INTO documents (id, tbl, json) VALUES (?, ?, ?)", [
        id,
        table.number,
        after.json,
      ]);
    } else this.#run("UPDATE documents SET json = ? WHERE id = ?", [after.json, id]);
    return touched;
  }

  #addEntry(index: number, key: Buffer, id: string): void {
    this.#run("INSERT INTO entries (idx, key, id) VALUES (?, ?, ?)", [index, key, id]);
  }

  // ---- transactions ----

  begin(): void {
    this.#depth = 0;
    this.#db.exec("BEGIN IMMEDIATE");
  }

  commit(): void {
    this.#db.exec("COMMIT");
  }

  rollback(): void {
    this.#db.exec("ROLLBACK");
  }

  savepoint(): string {
    const name = `s${++this.#depth}`;
    this.#db.exec(`SAVEPOINT ${name}`);
    return name;
  }

  release(savepoint: string): void {
    this.#db.exec(`RELEASE ${savepoint}`);
  }

  rollbackTo(savepoint: string): void {
    this.#db.exec(`ROLLBACK TO ${savepoint}`);
    this.#db.exec(`RELEASE ${savepoint}`);
  }

  // ---- what belongs to the deployment as a whole ----

  lastTs(): bigint {
    const row = this.#get<{ ts: string }>("SELECT ts FROM clock", []);
    return row === undefined ? 0n : BigInt(row.ts);
  }

  setLastTs(ts: bigint): void {
    this.#run(
      "INSERT INTO clock (one, ts) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET ts = excluded.ts",
      [String(ts)],
    );
  }

  setting(name: string): string | null {
    return (
      this.#get<{ value: string }>("SELECT value FROM settings WHERE name = ?", [name])?.value ??
      null
    );
  }

  setSetting(name: string, value: string): void {
    this.#run(
      "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      [name, value],
    );
  }

  /** The reply to a websocket mutation that has already been carried out. */
  request(session: string, request: number): string | null {
    const row = this.#get<{ reply: string }>(
      "SELECT reply FROM requests WHERE session = ? AND request = ?",
      [session, request],
    );
    return row?.reply ?? null;
  }

  saveRequest(session: string, request: number, at: number, reply: string): void {
    this.#run("INSERT INTO requests (session, request, at, reply) VALUES (?, ?, ?, ?)", [
      session,
      request,
      at,
      reply,
    ]);
  }

  forgetRequests(before: number): void {
    this.#run("DELETE FROM requests WHERE at < ?", [before]);
  }

  blob(id: string): Buffer | null {
    const row = this.#get<{ bytes: Buffer }>("SELECT bytes FROM blobs WHERE id = ?", [id]);
    return row === undefined ? null : Buffer.from(row.bytes);
  }

  saveBlob(id: string, bytes: Buffer): void {
    this.#run("INSERT INTO blobs (id, bytes) VALUES (?, ?)", [id, bytes]);
  }

  deleteBlob(id: string): void {
    this.#run("DELETE FROM blobs WHERE id = ?", [id]);
  }

  // Two rules of libsql 0.5.29: parameters always go in one array (a lone Buffer argument aborts the
  // process), and one prepared statement is used with `get` or with `all`, never both (after `all`,
  // `get` keeps the old parameters).
  #run(sql: string, parameters: unknown[]): void {
    this.#statement("run", sql).run(parameters);
  }

  #get<T>(sql: string, parameters: unknown[]): T | undefined {
    return this.#statement("get", sql).get(parameters) as T | undefined;
  }

  #all<T>(sql: string, parameters: unknown[]): T[] {
    return this.#statement("all", sql).all(parameters) as T[];
  }

  #statement(use: "run" | "get" | "all", sql: string): Statement {
    const name = `${use} ${sql}`;
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(name, statement);
    }
    return statement;
  }
}

/** The key of a document in an index: the fields' values, made unique by the id. */
export function keyOf(index: Index, document: Fields): Buffer {
  return encodeKey([...index.fields.map((field) => fieldAt(document, field)), document._id]);
}
