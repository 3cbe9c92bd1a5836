import assert from "node:assert/strict";
import { test } from "node:test";
import { defineSchema, defineTable } from "convex/server";
import { type JSONValue, v } from "convex/values";
import fc from "fast-check";
import { readPage, type SerializedQuery, Stream } from "./query.ts";
import { parseSchema } from "./schema.ts";
import { Store } from "./store.ts";
import { Transaction } from "./transaction.ts";

const schema = defineSchema({
  items: defineTable({ tag: v.string(), n: v.number() }).index("by_tag_n", ["tag", "n"]),
}) as unknown as { export(): string };

interface Item {
  tag: string;
  n: number;
}

type Change =
  | { type: "insert"; item: Item }
  | { type: "replace"; at: number; item: Item }
  | { type: "remove"; at: number };

interface Read {
  tag: string | null;
  least: number | null;
  order: "asc" | "desc";
  limit: number | null;
  filter: number | null;
}

const item = fc.record({ tag: fc.constantFrom("a", "b"), n: fc.integer({ min: 0, max: 9 }) });
const at = fc.nat({ max: 20 });
const change: fc.Arbitrary<Change> = fc.oneof(
  item.map((i): Change => ({ type: "insert", item: i })),
  fc.tuple(at, item).map(([n, i]): Change => ({ type: "replace", at: n, item: i })),
  at.map((n): Change => ({ type: "remove", at: n })),
);
const nullable = <T>(a: fc.Arbitrary<T>) => fc.option(a, { nil: null });
const read: fc.Arbitrary<Read> = fc.record({
  tag: nullable(fc.constantFrom("a", "b")),
  least: nullable(fc.integer({ min: 0, max: 9 })),
  order: fc.constantFrom("asc", "desc"),
  limit: nullable(fc.integer({ min: 0, max: 4 })),
  filter: nullable(fc.integer({ min: 0, max: 9 })),
});

function serialize({ tag, least, order, limit, filter }: Read): SerializedQuery {
  const operators: SerializedQuery["operators"] = [];
  if (filter !== null)
    operators.push({ filter: { $lte: [{ $field: "n" }, { $literal: filter }] } });
  if (limit !== null) operators.push({ limit });
  if (tag === null) {
    return { source: { type: "FullTableScan", tableName: "items", order }, operators };
  }
  const range = [{ type: "Eq", fieldPath: "tag", value: tag as JSONValue } as const];
  const bound = { type: "Gte", fieldPath: "n", value: least as JSONValue } as const;
  return {
    source: {
      type: "IndexRange",
      indexName: "items.by_tag_n",
      range: least === null ? range : [...range, bound],
      order,
    },
    operators,
  };
}

class Fixture {
  readonly store = new Store(":memory:", parseSchema(schema.export()));
  readonly ids: string[] = [];
  #ts = 1_700_000_000_000_000_000n;

  transaction(readOnly = true): Transaction {
    this.#ts += 1_000_000n;
    return new Transaction(this.store, { ts: this.#ts, readOnly });
  }

  apply(change: Change): Transaction {
    const transaction = this.transaction(false);
    if (change.type === "insert") {
      this.ids.push(transaction.insert("items", { ...change.item }));
    } else {
      const position = change.at % Math.max(this.ids.length, 1);
      const id = this.ids[position];
      if (id === undefined) return transaction;
      if (change.type === "replace") transaction.replace(id, { ...change.item });
      else {
        transaction.remove(id);
        this.ids.splice(position, 1);
      }
    }
    return transaction;
  }

  collect(query: SerializedQuery): { rows: string[]; transaction: Transaction } {
    const transaction = this.transaction();
    const stream = new Stream(transaction, query);
    const rows: string[] = [];
    for (let row = stream.next(); row !== null; row = stream.next()) rows.push(row);
    return { rows, transaction };
  }
}

test("a write that changes a query's result always invalidates the query", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), read, change, (before, spec, write) => {
      const fixture = new Fixture();
      for (const step of before) fixture.apply(step);
      const query = serialize(spec);
      const first = fixture.collect(query);
      const { touched } = fixture.apply(write);
      const second = fixture.collect(query);
      fixture.store.close();
      if (JSON.stringify(first.rows) !== JSON.stringify(second.rows)) {
        assert.ok(first.transaction.reads.isTouchedBy(touched));
      }
    }),
    { numRuns: 500 },
  );
});

test("the same holds for a page with its end pinned by the journal", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), read, change, (before, spec, write) => {
      const fixture = new Fixture();
      for (const step of before) fixture.apply(step);
      const request = { query: serialize({ ...spec, limit: null }), cursor: null, pageSize: 3 };
      const transaction = fixture.transaction();
      const first = readPage(transaction, request, null);
      const { touched } = fixture.apply(write);
      const second = readPage(fixture.transaction(), request, first.continueCursor);
      fixture.store.close();
      if (JSON.stringify(first.page) !== JSON.stringify(second.page)) {
        assert.ok(transaction.reads.isTouchedBy(touched));
      }
    }),
    { numRuns: 300 },
  );
});

test("a query for the newest rows is not run again for a change in the oldest", () => {
  const fixture = new Fixture();
  for (let n = 0; n < 10; n++) fixture.apply({ type: "insert", item: { tag: "a", n } });
  const spec: Read = { tag: "a", least: null, order: "desc", limit: 3, filter: null };
  const { transaction } = fixture.collect(serialize(spec));
  const oldest = fixture.apply({ type: "replace", at: 0, item: { tag: "a", n: 0 } });
  assert.equal(transaction.reads.isTouchedBy(oldest.touched), false);
  const other = fixture.apply({ type: "insert", item: { tag: "b", n: 9 } });
  assert.equal(transaction.reads.isTouchedBy(other.touched), false);
  const newest = fixture.apply({ type: "replace", at: 9, item: { tag: "a", n: 9 } });
  assert.equal(transaction.reads.isTouchedBy(newest.touched), true);
  fixture.store.close();
});

test("pages in both directions give every row once", () => {
  fc.assert(
    fc.property(
      fc.array(item, { maxLength: 15 }),
      fc.constantFrom("asc" as const, "desc" as const),
      fc.integer({ min: 1, max: 5 }),
      (items, order, pageSize) => {
        const fixture = new Fixture();
        for (const i of items) fixture.apply({ type: "insert", item: i });
        const query = serialize({ tag: null, least: null, order, limit: null, filter: null });
        const rows: string[] = [];
        for (let cursor: string | null = null, isDone = false; !isDone; ) {
          const page = readPage(fixture.transaction(), { query, cursor, pageSize }, null);
          rows.push(...page.page);
          ({ isDone } = page);
          cursor = page.continueCursor;
        }
        assert.deepEqual(rows, fixture.collect(query).rows);
        fixture.store.close();
      },
    ),
    { numRuns: 100 },
  );
});

test("a cursor of another query is refused in the way that clients understand", () => {
  const fixture = new Fixture();
  fixture.apply({ type: "insert", item: { tag: "a", n: 1 } });
  const spec: Read = { tag: null, least: null, order: "asc", limit: null, filter: null };
  const page = readPage(
    fixture.transaction(),
    { query: serialize(spec), cursor: null, pageSize: 1 },
    null,
  );
  const other = serialize({ ...spec, order: "desc" });
  assert.throws(
    () =>
      readPage(
        fixture.transaction(),
        { query: other, cursor: page.continueCursor, pageSize: 1 },
        null,
      ),
    (error: { data?: unknown }) => {
      assert.deepEqual(error.data, { isConvexSystemError: true, paginationError: "InvalidCursor" });
      return true;
    },
  );
  fixture.store.close();
});
