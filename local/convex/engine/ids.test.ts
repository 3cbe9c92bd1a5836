import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeId, newId, tableNumberOf } from "./ids.ts";

test("ids are encoded as production encodes them", () => {
  // The one fixed pair that the backend's own tests state (crates/value/src/id_v6.rs).
  const internal = new Uint8Array(16);
  for (let i = 0, byte = 251; i < 16; i++, byte = (byte * 251) & 0xff) internal[i] = byte;
  assert.equal(encodeId(1017, internal), "z43zp6c3e75gkmz1kfwj6mbbx5sw281h");
});

test("an id says which table it belongs to", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 0xffff_ffff }), (table) => {
      assert.equal(tableNumberOf(newId(table)), table);
    }),
  );
  assert.equal(newId(10_001).length, 32);
});

test("a string that is not an id, or an id with one character changed, is refused", () => {
  fc.assert(fc.property(fc.string({ maxLength: 40 }), (s) => tableNumberOf(s) === null));
  const id = newId(10_001);
  for (let i = 0; i < id.length; i++) {
    const changed = id.slice(0, i) + (id[i] === "0" ? "1" : "0") + id.slice(i + 1);
    assert.equal(tableNumberOf(changed), null, `position ${i}`);
  }
});
