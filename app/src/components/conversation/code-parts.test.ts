import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { codeParts, LINES_PER_PART, tokenParts } from "./code-parts.ts";

const code = fc
  .array(fc.constantFrom("a", "b c", "\n", "\n".repeat(LINES_PER_PART - 1), "\n\n"), {
    maxLength: 60,
  })
  .map((words) => words.join(""));

describe("parts of long code", () => {
  it("joined by newlines are the code, and all but the last are full", () => {
    fc.assert(
      fc.property(code, (text) => {
        const parts = codeParts(text);
        assert.equal(parts.join("\n"), text);
        for (const part of parts.slice(0, -1)) {
          assert.equal(part.split("\n").length, LINES_PER_PART);
        }
      }),
    );
  });

  it("are the same of text and of tokens, wherever a token ends", () => {
    fc.assert(
      fc.property(code, fc.array(fc.nat(40)), (text, cuts) => {
        const ends = [...new Set([...cuts.filter((cut) => cut < text.length), text.length])];
        const tokens = ends
          .sort((a, b) => a - b)
          .map((end, index) => ({
            text: text.slice(index === 0 ? 0 : ends[index - 1], end),
            classes: `c${index}`,
          }));
        const words = tokenParts(tokens).map((part) => part.map((token) => token.text).join(""));
        assert.deepEqual(words, codeParts(text));
      }),
    );
  });
});
