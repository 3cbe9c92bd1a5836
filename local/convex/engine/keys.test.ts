import assert from "node:assert/strict";
import { test } from "node:test";
import { compareValues, type Value } from "convex/values";
import fc from "fast-check";
import { afterKey, afterPrefix, encodeKey, inRange, type KeyPart, rangeOf } from "./keys.ts";

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  // Zeros and ones: the bytes of the escape.
  fc.string({ unit: fc.constantFrom("\0", "\u0001", "\u00ff", "a"), maxLength: 6 }),
);

const leaf: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double(),
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.boolean(),
  text,
  fc.uint8Array({ maxLength: 6 }).map((bytes) => new Uint8Array(bytes).buffer as ArrayBuffer),
);

const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.stringMatching(/^[ab~]{1,3}$/), tie("value"), { maxKeys: 3 }),
  ),
})).value;

const part: fc.Arbitrary<KeyPart> = fc.oneof(
  { weight: 9, arbitrary: value },
  fc.constant(undefined),
);

function sign(n: number): number {
  return n < 0 ? -1 : n > 0 ? 1 : 0;
}

test("keys sort as Convex compares values", () => {
  fc.assert(
    fc.property(part, part, (a, b) => {
      assert.equal(sign(encodeKey([a]).compare(encodeKey([b]))), sign(compareValues(a, b)));
    }),
    { numRuns: 3000 },
  );
});

test("compound keys sort field by field", () => {
  fc.assert(
    fc.property(fc.tuple(part, part), fc.tuple(part, part), (a, b) => {
      const expected = compareValues(a[0], b[0]) || compareValues(a[1], b[1]);
      assert.equal(sign(encodeKey(a).compare(encodeKey(b))), sign(expected));
    }),
    { numRuns: 1000 },
  );
});

test("no encoded value is the beginning of another", () => {
  fc.assert(
    fc.property(part, part, (a, b) => {
      const [x, y] = [encodeKey([a]), encodeKey([b])];
      if (x.equals(y)) return;
      assert.ok(!y.subarray(0, x.length).equals(x) && !x.subarray(0, y.length).equals(y));
    }),
    { numRuns: 2000 },
  );
});

test("a range holds exactly the keys that its expressions describe", () => {
  const number = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(-0));
  const bound = fc.option(fc.tuple(number, fc.boolean()), { nil: undefined });
  fc.assert(
    fc.property(text, text, part, bound, bound, (tag, other, n, lower, upper) => {
      const range = rangeOf(
        "items.by_tag_n",
        ["tag", "n", "_creationTime"],
        [
          { type: "Eq", fieldPath: "tag", value: tag },
          ...(lower
            ? [{ type: lower[1] ? "Gt" : "Gte", fieldPath: "n", value: lower[0] } as const]
            : []),
          ...(upper
            ? [{ type: upper[1] ? "Lt" : "Lte", fieldPath: "n", value: upper[0] } as const]
            : []),
        ],
      );
      for (const candidate of [tag, other]) {
        const below = lower === undefined ? 1 : compareValues(n, lower[0]);
        const above = upper === undefined ? -1 : compareValues(n, upper[0]);
        const expected =
          candidate === tag &&
          (lower?.[1] ? below > 0 : below >= 0) &&
          (upper?.[1] ? above < 0 : above <= 0);
        assert.equal(inRange(encodeKey([candidate, n, 12.5, "id"]), range), expected);
      }
    }),
    { numRuns: 2000 },
  );
});

test("index fields must be used in order, with one bound per side", () => {
  const fields = ["tag", "n"];
  const eq = (fieldPath: string) => ({ type: "Eq", fieldPath, value: 1 }) as const;
  const gt = (fieldPath: string) => ({ type: "Gt", fieldPath, value: 1 }) as const;
  assert.throws(() => rangeOf("t.i", fields, [eq("n")]), /in order/);
  assert.throws(() => rangeOf("t.i", fields, [gt("tag"), gt("tag")]), /at most one/);
  assert.throws(() => rangeOf("t.i", fields, [gt("tag"), eq("tag")]), /at most one/);
  assert.doesNotThrow(() => rangeOf("t.i", fields, [eq("tag"), gt("n")]));
});

test("the ends of ranges are right at the byte boundary", () => {
  assert.deepEqual([...afterPrefix(Buffer.from([1, 0xff, 0xff]))], [2]);
  assert.deepEqual([...afterPrefix(Buffer.from([]))], [0xff]);
  const key = Buffer.from([1, 2]);
  assert.ok(key.compare(afterKey(key)) < 0);
  assert.ok(afterKey(key).compare(Buffer.from([1, 2, 0, 0])) < 0);
});
