// What a function has read, as sets of index ranges: the part of a live query that says when to run
// it again. A document read by id is a range of one key in `by_id`.
import { afterKey, inRange, type KeyRange } from "./keys.ts";
import type { Touched } from "./store.ts";

export class ReadSet {
  readonly #ranges = new Map<number, KeyRange[]>();

  /** The returned range may still be narrowed or widened by the reader while it goes along. */
  add(index: number, range: KeyRange): KeyRange {
    const own = { lo: range.lo, hi: range.hi };
    const ranges = this.#ranges.get(index);
    if (ranges === undefined) this.#ranges.set(index, [own]);
    else ranges.push(own);
    return own;
  }

  addKey(index: number, key: Buffer): void {
    this.add(index, { lo: key, hi: afterKey(key) });
  }

  /** Whether a write could change what was read. */
  isTouchedBy(writes: readonly Touched[]): boolean {
    return writes.some(({ index, key }) =>
      this.#ranges.get(index)?.some((range) => inRange(key, range)),
    );
  }
}
