import assert from "node:assert/strict";
import { test } from "node:test";
import type { Value } from "convex/values";
import { checkDocument, checkValue } from "./limits.ts";

function nested(levels: number): Value {
  let value: Value = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

const ID = "j".repeat(32);

test("a document of 1 MiB is stored and one byte more is not", () => {
  const document = { _id: ID, _creationTime: 1, text: "" };
  const spare = 1024 * 1024 - checkDocument(document);
  assert.equal(checkDocument({ ...document, text: "x".repeat(spare) }), 1024 * 1024);
  assert.throws(
    () => checkDocument({ ...document, text: "x".repeat(spare + 1) }),
    /Value is too large \(1 MiB > maximum size 1 MiB\)/,
  );
});

test("a document nests 16 levels deep, itself included, and no deeper", () => {
  assert.doesNotThrow(() => checkDocument({ value: nested(15) }));
  assert.throws(() => checkDocument({ value: nested(16) }), /nested 17 levels deep/);
  assert.doesNotThrow(() => checkValue(nested(64)));
  assert.throws(() => checkValue(nested(65)), /too nested/);
});

test("arrays hold 8192 items and objects 1024 fields", () => {
  assert.doesNotThrow(() => checkValue(new Array<Value>(8192).fill(1)));
  assert.throws(() => checkValue(new Array<Value>(8193).fill(1)), /Array length is too long/);
  const fields = (n: number) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, 1]));
  assert.doesNotThrow(() => checkValue(fields(1024)));
  assert.throws(() => checkValue(fields(1025)), /too many fields/);
});

test("field names are printable ASCII, without a leading $, at most 1024 long", () => {
  for (const name of ["$ref", "naïve", "tab\t", "\u007f", "x".repeat(1025)]) {
    assert.throws(() => checkValue({ [name]: 1 }), /Field name/, name.slice(0, 20));
  }
  assert.doesNotThrow(() => checkValue({ "a b~!": 1, ["x".repeat(1024)]: 1, "": 1 }));
  assert.throws(() => checkDocument({ _own: 1 }), /starts with an underscore/);
  assert.doesNotThrow(() => checkDocument({ value: { _own: 1 } }));
});

test("lone surrogates are refused, pairs are not", () => {
  assert.throws(() => checkValue("a\ud800"), /lone UTF-16 surrogate/);
  assert.doesNotThrow(() => checkValue("😀"));
});
