import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type EditingEvent, edited, isDirty, opened, smallestChange } from "./editing.ts";

const after = (...events: EditingEvent[]) => events.reduce(edited, opened("old"));

describe("a file that a person and a job both write", () => {
  it("follows the job while the person only reads", () => {
    const state = after({ kind: "arrived", stored: "new" });
    assert.deepEqual([state.text, state.notice, isDirty(state)], ["new", undefined, false]);
  });

  it("keeps what the person types, and says that the job wrote", () => {
    const state = after({ kind: "typed", text: "mine" }, { kind: "arrived", stored: "theirs" });
    assert.equal(state.text, "mine");
    assert.deepEqual(state.notice, { kind: "kept-mine", other: "theirs" });
    const saved = [{ kind: "saving" }, { kind: "saved" }] as const;
    const done = saved.reduce(edited, state);
    assert.deepEqual([done.stored, isDirty(done)], ["mine", false]);
    assert.equal(edited(done, { kind: "take-other" }).text, "theirs");
  });

  it("offers the person's saved text when the job writes over it", () => {
    const state = after(
      { kind: "typed", text: "mine" },
      { kind: "saving" },
      { kind: "arrived", stored: "mine" },
      { kind: "saved" },
      { kind: "arrived", stored: "theirs" },
    );
    assert.equal(state.text, "theirs");
    assert.deepEqual(state.notice, { kind: "took-theirs", other: "mine" });
  });

  it("does not take the echo of a save for somebody else's text", () => {
    const state = after(
      { kind: "typed", text: "one" },
      { kind: "saving" },
      { kind: "typed", text: "one two" },
      { kind: "arrived", stored: "one" },
      { kind: "saved" },
    );
    assert.deepEqual([state.text, state.notice, isDirty(state)], ["one two", undefined, true]);
  });

  it("keeps the text when a save fails", () => {
    const state = after({ kind: "typed", text: "mine" }, { kind: "saving" }, { kind: "failed" });
    assert.deepEqual([state.text, state.failed, isDirty(state)], ["mine", true, true]);
  });

  it("changes no more of the text than has changed", () => {
    assert.deepEqual(smallestChange("abcd", "abXd"), { from: 2, to: 3, insert: "X" });
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        const change = smallestChange(one, other);
        const { from, to, insert } = change ?? { from: 0, to: 0, insert: "" };
        assert.equal(one.slice(0, from) + insert + one.slice(to), other);
      }),
    );
  });
});
