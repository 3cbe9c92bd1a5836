import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GrowingPieces, piecesOf } from "./pieces.ts";

const many = (count: number, line: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => line(n + 1)).join("");

describe("a long block", () => {
  it("that is a list is cut before items of its outermost level", () => {
    const list = many(100, (n) => `${n}. item ${n} with some words\n   - below it\n`);
    const cut = piecesOf(`Here:\n${list}`);
    assert.ok(cut.kind === "list");
    assert.equal(cut.pieces.join(""), `Here:\n${list}`);
    assert.ok(cut.pieces.length > 2);
    for (const piece of cut.pieces.slice(1)) assert.match(piece, /^\d+\. item/);
  });

  it("that is a list is not cut within code of an item", () => {
    const code = many(200, (n) => `- not an item ${n}\n`);
    const cut = piecesOf(`- one\n\n  \`\`\`\n${code}  \`\`\`\n\n- two\n`);
    assert.ok(cut.kind === "list");
    assert.deepEqual(cut.pieces.slice(1), ["- two\n"]);
  });

  it("that is a table has its head apart from its rows", () => {
    const rows = many(100, (n) => `| row ${n} | value ${n} | more |\n`);
    const head = "| a | b | c |\n|---|:-:|---|\n";
    const cut = piecesOf(`Here:\n${head}${rows}| ro`);
    assert.ok(cut.kind === "table");
    assert.deepEqual([cut.before, cut.head], ["Here:\n", head]);
    assert.equal(cut.pieces.join(""), `${rows}| ro`);
    assert.ok(cut.pieces.length > 1);
  });

  it("is read in linear time, whatever it is made of", () => {
    const long = 200_000;
    for (const line of [
      `${"-".padEnd(long)}x|`,
      "|-".padEnd(long, " |-"),
      "`".repeat(long),
      "1".repeat(long),
      " ".repeat(long),
    ]) {
      // Quadratic time would be minutes: the test's own limit ends it.
      piecesOf(`| a |\n${line}\n| b |\n`);
      piecesOf(`- a\n${line}\n- b\n`);
    }
  });

  it("that only resembles a table stays whole", () => {
    const rows = many(100, (n) => `| row ${n} | value ${n} | more |\n`);
    for (const text of [`| a |\n|---|\n${rows}> quoted\nmore\n`, rows, `text\n---\n${rows}`]) {
      assert.equal(piecesOf(text).kind, "whole", text.slice(0, 20));
    }
  });

  it("keeps its pieces when text is added behind it", () => {
    const blocks = [
      many(200, (n) => `- item ${n} of a list\n`),
      `| a | b |\n|---|---|\n${many(200, (n) => `| row ${n} | of a table |\n`)}`,
    ];
    for (const block of blocks) {
      let known: readonly string[] = [];
      for (let end = 3_000; end <= block.length; end += 7) {
        const cut = piecesOf(block.slice(0, end));
        assert.ok(cut.kind === "list" || cut.kind === "table");
        assert.deepEqual(cut.pieces.slice(0, known.length), known);
        known = cut.pieces.slice(0, -1);
      }
    }
  });
});

describe("a block that grows", () => {
  it("has the pieces of what it is now", () => {
    const words = "Some words, `code` and **more** of them. ".repeat(300);
    const blocks = [
      ...[100, 2_500, 2_501, 5_000, 9_000, 4_000].map((end) => words.slice(0, end)),
      // The line that turns it into something else, and another paragraph.
      `${words}\n- an item`,
      words,
      words.replaceAll("words", "more words"),
    ];
    const growing = new GrowingPieces();
    for (const block of blocks) assert.deepEqual(growing.of(block), piecesOf(block));
    assert.equal(growing.of(blocks.at(-1) ?? ""), growing.of(blocks.at(-1) ?? ""));
  });
});

describe("fenced code", () => {
  it("is code, open or closed", () => {
    for (const [text, code] of [
      ["```ts title=x\nconst a = 1;\n", "const a = 1;"],
      ["```ts\nconst a = 1;\n```", "const a = 1;"],
      ["```ts\nconst a = 1;\n```\n\n", "const a = 1;"],
      ["````ts\n```\n````\n", "```"],
      ["~~~ts\n```\n~~~\n", "```"],
      ["```ts\n```\n", ""],
    ] as const) {
      assert.deepEqual(piecesOf(text), { kind: "code", info: "ts", code }, text);
    }
  });

  it("is not what merely begins like it", () => {
    for (const text of ["```a``` b\n", "```", "``\na\n``\n", "```ts\na\n```\nand text\n"]) {
      assert.equal(piecesOf(text).kind, "whole", text);
    }
  });
});
