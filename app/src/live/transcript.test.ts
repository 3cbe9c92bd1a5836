import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { follow, messagesOf, prepend, type Transcript } from "./transcript.ts";

const PAGE = 4;
const message = (n: number) => ({ _id: `m${n}`, _creationTime: n });
const upTo = (count: number) => Array.from({ length: count }, (_, n) => message(n + 1));
const newest = (count: number) => upTo(count).slice(-PAGE);
const before = (first: number) => upTo(first - 1).slice(-PAGE);
const times = (known: Transcript<ReturnType<typeof message>>) =>
  messagesOf(known).map(({ _creationTime }) => _creationTime);

describe("a conversation longer than a page", () => {
  it("keeps what moves out of its live part", () => {
    let known = follow(undefined, "c", newest(6));
    known = follow(known, "c", newest(7));
    known = follow(known, "c", newest(9));
    assert.deepEqual(times(known), [3, 4, 5, 6, 7, 8, 9]);
  });

  it("begins anew where something between was missed, or another one is shown", () => {
    const known = follow(undefined, "c", newest(6));
    assert.deepEqual(times(follow(known, "c", newest(20))), [17, 18, 19, 20]);
    assert.deepEqual(times(follow(known, "d", newest(5))), [2, 3, 4, 5]);
    assert.deepEqual(times(follow(known, "c", [])), []);
  });

  it("is complete at an empty page, and at once when it has nothing", () => {
    assert.equal(follow(undefined, "c", []).complete, true);
    let known = follow(undefined, "c", newest(6));
    assert.equal(known.complete, false);
    known = prepend(known, before(3));
    assert.deepEqual([times(known), known.complete], [[1, 2, 3, 4, 5, 6], false]);
    assert.equal(prepend(known, []).complete, true);
  });

  it("has every message once and in order, however pages and new messages come", () => {
    const steps = fc.array(fc.oneof(fc.constant("older"), fc.integer({ min: 0, max: PAGE - 1 })));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), steps, (start, todo) => {
        let count = start;
        let known = follow(undefined, "c", newest(count));
        for (const step of todo) {
          if (typeof step === "number") {
            count += step;
            known = follow(known, "c", newest(count));
          } else {
            known = prepend(known, before(messagesOf(known)[0]?._creationTime ?? 1));
          }
          const shown = times(known);
          const first = shown[0] ?? 0;
          assert.deepEqual(
            shown,
            Array.from({ length: count - first + 1 }, (_, n) => first + n),
          );
          if (known.complete) assert.equal(first, 1);
        }
      }),
    );
  });
});
