import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { GrowingBlocks, markdownBlocks } from "./blocks.ts";

describe("blocks of a growing answer", () => {
  it("are paragraphs, headings and fenced code", () => {
    const text = "One\nstill one\n\n# Two\n\n```ts\nconst a = 1;\n\nconst b = 2;\n```\n\nThree";
    assert.deepEqual(markdownBlocks(text), [
      "One\nstill one\n\n",
      "# Two\n\n",
      "```ts\nconst a = 1;\n\nconst b = 2;\n```\n\n",
      "Three",
    ]);
  });

  it("keep a list with blank lines and code in its items together", () => {
    const list = "1. one\n\n   ```\n\nnot indented\n\n   ```\n\n2. two\n\n   more of two\n\n";
    assert.deepEqual(markdownBlocks(`${list}After`), [list, "After"]);
  });

  it("do not take backticks within a line for a fence", () => {
    assert.deepEqual(markdownBlocks("```a``` b\n\nc"), ["```a``` b\n\n", "c"]);
  });

  it("joined are the text, and all but the last stay when text is added", () => {
    const piece = fc.constantFrom(
      "\n",
      "\n\n",
      "a",
      "- ",
      "1. ",
      "```",
      "```\n",
      "~~~\n",
      "    ",
      "# ",
      "| a |",
      "> ",
      " ",
      "\t",
    );
    const texts = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(texts, texts, (before, added) => {
        const blocks = markdownBlocks(before);
        assert.equal(blocks.join(""), before);
        // The last line may still grow into something else; what is behind a finished line stays.
        const finished = blocks.slice(0, -1);
        assert.deepEqual(markdownBlocks(before + added).slice(0, finished.length), finished);
      }),
    );
  });

  it("are cut once, however often the text grows", () => {
    const growing = new GrowingBlocks();
    const first = growing.of("One.\n\nTwo");
    assert.deepEqual(growing.of("One.\n\nTwo and more.\n\n- a"), [
      "One.\n\n",
      "Two and more.\n\n",
      "- a",
    ]);
    assert.equal(growing.of("One.\n\nTwo")[0], first[0]);
    assert.deepEqual(growing.of("Another"), ["Another"]);
  });
});
