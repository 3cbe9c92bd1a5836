import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { defineSchema, defineTable } from "convex/server";
import { type GenericValidator, v } from "convex/values";
import { checkStoredDocuments } from "./checks.ts";
import { type SerializedQuery, Stream } from "./query.ts";
import { parseSchema } from "./schema.ts";
import { Store } from "./store.ts";
import { Transaction } from "./transaction.ts";

const TS = 1_700_000_000_000_000_000n;

function schemaText(n: GenericValidator, indexes: Record<string, [string, ...string[]]>): string {
  let table = defineTable({ n: n as never });
  for (const [name, fields] of Object.entries(indexes))
    table = table.index(name, fields as never) as never;
  return (defineSchema({ items: table }) as unknown as { export(): string }).export();
}

function file(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "convex-store-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "convex.db");
}

function writing(store: Store): Transaction {
  return new Transaction(store, { ts: TS, readOnly: false });
}

function numbers(store: Store, indexName: string | null): unknown[] {
  const query: SerializedQuery = {
    source:
      indexName === null
        ? { type: "FullTableScan", tableName: "items", order: null }
        : { type: "IndexRange", indexName, range: [], order: null },
    operators: [],
  };
  const stream = new Stream(new Transaction(store, { ts: TS, readOnly: true }), query);
  const found: unknown[] = [];
  for (let row = stream.next(); row !== null; row = stream.next()) found.push(JSON.parse(row).n);
  return found;
}

test("what was committed is there after opening again, what was rolled back is not", (t) => {
  const path = file(t);
  const schema = parseSchema(schemaText(v.number(), {}));
  const store = new Store(path, schema);
  store.begin();
  writing(store).insert("items", { n: 1 });
  store.setLastTs(TS);
  store.commit();
  store.begin();
  const transaction = writing(store);
  transaction.insert("items", { n: 2 });
  transaction.insert("undeclared", { n: 3 });
  store.rollback();
  store.dropUncreated();
  assert.deepEqual(numbers(store, null), [1]);
  assert.equal(store.table("undeclared"), undefined);
  store.close();
  const again = new Store(path, schema);
  assert.deepEqual(numbers(again, null), [1]);
  assert.equal(again.lastTs(), TS);
  again.close();
});

test("an index that the schema gains is filled, one that it changes is made anew, one that it loses is gone", (t) => {
  const path = file(t);
  const open = (indexes: Record<string, [string, ...string[]]>) =>
    new Store(path, parseSchema(schemaText(v.number(), indexes)));
  let store = open({});
  store.begin();
  for (const n of [3, 1, 2]) writing(store).insert("items", { n });
  store.commit();
  assert.throws(() => numbers(store, "items.by_n"), /Index items.by_n not found/);
  store.close();
  store = open({ by_n: ["n"] });
  assert.deepEqual(numbers(store, "items.by_n"), [1, 2, 3]);
  store.close();
  store = open({ by_n: ["_creationTime"] });
  assert.equal(numbers(store, "items.by_n").length, 3);
  store.close();
  store = open({});
  assert.throws(() => numbers(store, "items.by_n"), /not found/);
  assert.deepEqual(new Set(numbers(store, null)), new Set([1, 2, 3]));
  store.close();
});

test("a schema that stored documents do not match is refused", (t) => {
  const path = file(t);
  const before = schemaText(v.number(), {});
  const store = new Store(path, parseSchema(before));
  checkStoredDocuments(store, before);
  store.begin();
  writing(store).insert("items", { n: 1 });
  store.commit();
  store.close();
  const after = schemaText(v.string(), {});
  const again = new Store(path, parseSchema(after));
  assert.throws(() => checkStoredDocuments(again, after), /Schema validation failed: document/);
  again.close();
});
