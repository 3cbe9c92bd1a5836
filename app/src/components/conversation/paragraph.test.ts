import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { paragraphOf } from "./paragraph.ts";

/** As the page does, no image is fetched. */
const WHOLE: Components = { img: ({ src, alt }) => `[${alt}: ${src}]` };
const WORDS: Components = { ...WHOLE, p: ({ children }) => children };

const html = (text: string, components = WHOLE): string =>
  renderToStaticMarkup(
    createElement(ReactMarkdown, { remarkPlugins: [remarkGfm], components }, text),
  );

/** As the page puts pieces together. */
const ofPieces = (pieces: readonly string[]): string =>
  `<p>${pieces.map((piece) => html(piece, WORDS) + (piece.endsWith(" ") ? " " : "")).join("")}</p>`;

const LINE_ENDS = /[\r\n]/g;

const cut = (text: string, least = 10): string[] | undefined =>
  paragraphOf(text, least, Number.POSITIVE_INFINITY);

const PART = fc.constantFrom(
  ...["a", "word", "of", "it.", "*", "**", "_", "~~", "`", "``", "[", "](x)", "](x 'a b c')"],
  ...["]", "(", ")", "<", ">", "<b>", "\\", "&amp;", "snake_case", '"', "é", "。", "\n", "!["],
  ...["2 * 3", "https://a.example/b_c", "1.", "~1", "\r", "\r- ", "www.a.example", "a@b.example"],
  ...['"a :) b c"', "'", "](<a b c) d> 'a) b')", "<!--", "-->", "***", "3.5", "😀"],
);
/** Of a paragraph, with whatever may be open in it. */
const WORDS_AND_MARKS = fc
  .array(fc.tuple(PART, fc.constantFrom("", " ", " ", "  ")), { maxLength: 60 })
  .map((parts) => parts.flat().join(""));

describe("a long paragraph", () => {
  it("is cut between words, where nothing is open", () => {
    assert.deepEqual(cut("One two three **four five six seven** eight nine ten eleven."), [
      "One two three **four five six seven** ",
      "eight nine ",
      "ten eleven.",
    ]);
    for (const text of [
      "Some *words of one emphasis*",
      "See [the words of a link](https://a.example)",
      'See [it](https://a.example "with :) the words of a title")',
      "See [it](<a (b c d) e> 'the words of a title')",
      "As *a***b words of a second one**",
      "Call `one two three four five`",
      "A ~~word that was struck out~~",
      "As <b title=of a < long tag>",
      "As <!-- a > b and c -->",
    ]) {
      const [first] = cut(`${text} and more words behind it`) ?? [];
      assert.ok(first?.startsWith(text), text);
    }
  });

  it("is cut behind a full stop where there are no spaces", () => {
    assert.deepEqual(cut("这是第一个很长的句子。这是第二个很长的句子。"), [
      "这是第一个很长的句子。",
      "这是第二个很长的句子。",
    ]);
  });

  it("is not one if a line of it begins something else", () => {
    const words = "some words that could be cut somewhere";
    for (const line of [
      "# a",
      "- a",
      "1. a",
      "> a",
      "---",
      "===",
      "```",
      "| a |",
      "+ a",
      "***",
      "    a",
    ]) {
      assert.equal(cut(`${words}\n${line}`), undefined, line);
    }
    assert.equal(cut(`${words}\r- a`), undefined);
    for (const line of [
      words,
      `**${words}**`,
      "*a*",
      "_a_",
      "[a](b)",
      "3.5",
      "12",
      "😀",
      "$1",
      "`a`",
    ]) {
      assert.ok(cut(`${words}\n${line}\n`), line);
    }
  });

  it("means the same in pieces", () => {
    let cuts = 0;
    fc.assert(
      fc.property(WORDS_AND_MARKS, (words) => {
        const paragraph = `Here are ${words}`.trimEnd();
        const pieces = cut(paragraph);
        if (pieces === undefined) return;
        cuts += 1;
        assert.equal(pieces.join(""), paragraph);
        assert.equal(ofPieces(pieces), html(paragraph));
      }),
      { numRuns: 2_000 },
    );
    assert.ok(cuts > 100, `only ${cuts} were cut`);
  });

  it("keeps its pieces when words are added", () => {
    const text = "Some words, `code` and **more** of them. ".repeat(50);
    let known: readonly string[] = [];
    for (let end = 100; end <= text.length; end += 7) {
      const pieces = cut(text.slice(0, end), 90) ?? [];
      assert.deepEqual(pieces.slice(0, known.length), known);
      known = pieces.slice(0, -1);
    }
    assert.ok(known.length > 10);
  });

  it("is cut as if it were read anew, whatever it grew from", () => {
    let grown = 0;
    fc.assert(
      fc.property(WORDS_AND_MARKS, fc.double({ min: 0, max: 1, noNaN: true }), (words, part) => {
        const paragraph = `Here are some words, ${words.replace(LINE_ENDS, " ")} and more words behind.`;
        const half = paragraph.slice(0, Math.floor(paragraph.length * part));
        // Marks that stay open keep no more than a few words together: there are many pieces.
        const before = paragraphOf(half, 10, 20) ?? [];
        if (before.length > 2) grown += 1;
        const pieces = paragraphOf(paragraph, 10, 20, before);
        assert.deepEqual(pieces, paragraphOf(paragraph, 10, 20));
      }),
      { numRuns: 2_000 },
    );
    assert.ok(grown > 100, `only ${grown} had pieces to keep`);
  });

  it("is no longer cut before what turns out to be an address", () => {
    const text = "Some words stand before www.a.example and more behind it";
    const grown = [...text].reduce<readonly string[]>(
      (before, _, end) =>
        paragraphOf(text.slice(0, end + 1), 10, Number.POSITIVE_INFINITY, before) ?? [],
      [],
    );
    assert.deepEqual(grown, cut(text));
  });

  it("is cut behind a mark that is never closed, after a while", () => {
    const text = `About *${"some words ".repeat(50)}`;
    assert.equal(cut(text), undefined);
    assert.ok((paragraphOf(text, 10, 100)?.length ?? 0) > 4);
  });

  it("is read in linear time", () => {
    for (const part of ["*", "`", "[", "a ", "_a ", "<", "\\"]) {
      // Quadratic time would be minutes: the test's own limit ends it.
      paragraphOf(`Words ${part.repeat(200_000)}`, 1_500, 10_000);
    }
  });
});
