import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { type GenericValidator, type Value, v } from "convex/values";
import { mismatch, type ValidatorJson } from "./validators.ts";

const tables = new Map([
  ["id-of-users", "users"],
  ["id-of-items", "items"],
]);

function check(validator: GenericValidator, value: Value): string | null {
  const { json } = validator as unknown as { json: ValidatorJson };
  return mismatch(json, value, (id) => tables.get(id) ?? null);
}

const cases: [string, GenericValidator, Value[], Value[]][] = [
  ["null", v.null(), [null], [0, "", false, []]],
  ["numbers", v.number(), [1, Number.NaN, -0], [1n, "1", null]],
  ["int64", v.int64(), [1n], [1, "1"]],
  ["booleans", v.boolean(), [true], [0, "true"]],
  ["strings", v.string(), ["", "x"], [1, null]],
  ["bytes", v.bytes(), [new ArrayBuffer(1)], ["x", []]],
  ["anything", v.any(), [null, 1, { a: [1] }], []],
  ["literals", v.literal("a"), ["a"], ["b", null]],
  ["int64 literals", v.literal(5n), [5n], [5, 6n]],
  ["ids", v.id("users"), ["id-of-users"], ["id-of-items", "nonsense", 1]],
  ["arrays", v.array(v.number()), [[], [1, 2]], [["1"], 1, { 0: 1 }]],
  ["records", v.record(v.string(), v.number()), [{}, { a: 1 }], [{ a: "1" }, []]],
  ["records by id", v.record(v.id("users"), v.null()), [{ "id-of-users": null }], [{ x: null }]],
  ["unions", v.union(v.literal("a"), v.number()), ["a", 1], ["b", null]],
  [
    "objects",
    v.object({ a: v.number(), b: v.optional(v.string()) }),
    [{ a: 1 }, { a: 1, b: "x" }],
    [{}, { a: 1, c: 1 }, { a: 1, b: 1 }, [], null],
  ],
  [
    "field names of Object.prototype",
    v.object({ a: v.optional(v.number()) }),
    [{}],
    [{ toString: 1 }, { constructor: 1 }],
  ],
];

for (const [name, validator, good, bad] of cases) {
  test(`${name} are accepted and refused as declared`, () => {
    for (const value of good) assert.equal(check(validator, value), null);
    for (const value of bad) assert.notEqual(check(validator, value), null, inspect(value));
  });
}

test("a message says where and what, and never shows the internal key", () => {
  const validator = v.object({ list: v.array(v.object({ name: v.string() })) });
  assert.match(check(validator, { list: [{ name: 1 }] }) ?? "", /Path: \.list\[0\]\.name/);
  assert.match(check(validator, {}) ?? "", /missing the required field `list`/);
  const text = check(validator, { internalKey: "secret-key-text" }) ?? "";
  assert.ok(!text.includes("secret-key-text"));
});
