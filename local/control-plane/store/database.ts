// Opens the control plane's SQLite file and gives typed, prepared access to it.
// One connection, synchronous: what happens between two awaits is one atomic step of the engine.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import Libsql from "libsql";
import { MIGRATIONS, SCHEMA, SCHEMA_VERSION } from "./schema.ts";

export type Value = string | number | null;
export type Row = Record<string, Value>;

export interface Database {
  run(sql: string, values?: Value[]): { changes: number; lastId: number };
  get(sql: string, values?: Value[]): Row | undefined;
  all(sql: string, values?: Value[]): Row[];
  /** Everything inside is committed together, or nothing is. May be nested. */
  transaction<T>(work: () => T): T;
  close(): void;
}

type Statement = ReturnType<Libsql.Database["prepare"]>;

export function openDatabase(state: string): Database {
  mkdirSync(state, { recursive: true });
  const path = join(state, "control-plane.db");
  const db = new Libsql(path);
  db.exec("pragma journal_mode = wal");
  db.exec("pragma synchronous = normal");
  db.exec("pragma busy_timeout = 5000");
  const found = versionOf(db.prepare("pragma user_version").get([]));
  if (found > SCHEMA_VERSION) {
    db.close();
    throw new Error(`${path} is of a later version (${found}): delete it to begin anew`);
  }
  // Together or not at all: a kill in the middle leaves the older file as it was.
  db.exec("begin immediate");
  for (let version = found; version > 0 && version < SCHEMA_VERSION; version++) {
    db.exec(MIGRATIONS[version] ?? "");
  }
  db.exec(SCHEMA);
  db.exec(`pragma user_version = ${SCHEMA_VERSION}`);
  db.exec("commit");

  const statements = new Map<string, Statement>();
  // One statement an SQL text and use: libsql 0.5.29 gives wrong rows when `get` follows `all` on one.
  const prepare = (use: "run" | "get" | "all", sql: string): Statement => {
    const key = `${use} ${sql}`;
    let statement = statements.get(key);
    if (statement === undefined) {
      statement = db.prepare(sql);
      statements.set(key, statement);
    }
    return statement;
  };
  let depth = 0;
  let open = true;
  return {
    run(sql, values = []) {
      const result = prepare("run", sql).run(values);
      return { changes: result.changes, lastId: Number(result.lastInsertRowid) };
    },
    get: (sql, values = []) => prepare("get", sql).get(values) as Row | undefined,
    all: (sql, values = []) => prepare("all", sql).all(values) as Row[],
    transaction(work) {
      if (depth > 0) return work();
      db.exec("begin immediate");
      depth++;
      try {
        const result = work();
        db.exec("commit");
        return result;
      } catch (error) {
        db.exec("rollback");
        throw error;
      } finally {
        depth--;
      }
    },
    close() {
      if (!open) return;
      open = false;
      statements.clear();
      db.close();
    },
  };
}

function versionOf(row: unknown): number {
  const value = (row as { user_version?: unknown } | undefined)?.user_version;
  return typeof value === "number" ? value : 0;
}
