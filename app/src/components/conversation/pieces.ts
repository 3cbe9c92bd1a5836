// Cuts one long block of Markdown (a paragraph, a list, a table, fenced code) into pieces that are parsed
// and drawn by themselves, so that another word at its end costs one piece and not the block. Pure. A
// block that is not certain to mean the same in pieces stays whole.

import { paragraphOf } from "./paragraph.ts";

export type Pieces =
  | { kind: "whole" }
  /** Each piece is text of one paragraph. */
  | { kind: "paragraph"; pieces: readonly string[] }
  /** Each piece is a list of its own; an ordered one goes on with its own number. */
  | { kind: "list"; pieces: readonly string[] }
  /** Text before the table, its two head lines, and its rows. */
  | { kind: "table"; before: string; head: string; pieces: readonly string[] }
  /** The fence is taken off; `info` is what it says of the language. */
  | { kind: "code"; info: string; code: string };

const WHOLE: Pieces = { kind: "whole" };
/** Shorter blocks are parsed in a few milliseconds. */
const LONG_CHARS = 2_000;
const PIECE_CHARS = 1_500;
/** A star or a backtick that so much text follows has no other one. */
const MOST_OPEN_CHARS = 10_000;

const FENCE = /^(`{3,}|~{3,})([^\n]*)\n/;
const LIST_ITEM = /^(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)/;
const ANY_FENCE = /^\s*(?:(?:[-*+]|\d{1,9}[.)])\s+)?(`{3,}|~{3,})/;
const DELIMITER = /^\s*:?-+:?\s*$/;

/** `paragraph`: the pieces of a paragraph that the block grew from. */
export function piecesOf(block: string, paragraph: readonly string[] = []): Pieces {
  const code = codeOf(block);
  if (code !== undefined) return code;
  if (block.length < LONG_CHARS) return WHOLE;
  const text = paragraphOf(block, PIECE_CHARS, MOST_OPEN_CHARS, paragraph);
  if (text !== undefined) return { kind: "paragraph", pieces: text };
  return tableOf(block) ?? listOf(block) ?? WHOLE;
}

/** The pieces of a block that grows, each time by what it is now: a long paragraph is not read anew. */
export class GrowingPieces {
  #block = "";
  #pieces: Pieces = WHOLE;

  of(block: string): Pieces {
    if (block === this.#block) return this.#pieces;
    const before = this.#pieces;
    const isGrown = before.kind === "paragraph" && block.startsWith(this.#block);
    this.#pieces = piecesOf(block, isGrown ? before.pieces : []);
    this.#block = block;
    return this.#pieces;
  }
}

function codeOf(block: string): Pieces | undefined {
  const [opening = "", marks = "", rest = ""] = FENCE.exec(block) ?? [];
  // Backticks behind the opening make it inline code.
  if (marks === "" || (marks.startsWith("`") && rest.includes("`"))) return undefined;
  const [info = ""] = rest.trim().split(/\s+/);
  const closing = new RegExp(`^ {0,3}${marks.charAt(0)}{${marks.length},}[ \\t]*$`, "m");
  const body = block.slice(opening.length);
  const end = closing.exec(body);
  if (end === null) return { kind: "code", info, code: withoutNewline(body) };
  const isLast = body.slice(end.index + end[0].length).trim() === "";
  return isLast
    ? { kind: "code", info, code: withoutNewline(body.slice(0, end.index)) }
    : undefined;
}

function withoutNewline(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

function tableOf(block: string): Pieces | undefined {
  const lines = linesOf(block);
  const at = lines.findIndex((line, index) => index > 0 && isDelimiters(line));
  if (at < 1) return undefined;
  const rows = lines.slice(at + 1);
  const isRow = (line: string): boolean => line.includes("|") || line.trim() === "";
  // Something else than rows would end the table. The last line may still become a row.
  if (!(lines[at - 1] ?? "").includes("|") || !rows.slice(0, -1).every(isRow)) return undefined;
  const pieces = joined(rows, () => true);
  const before = lines.slice(0, at - 1).join("");
  const head = `${lines[at - 1]}${lines[at]}`;
  return { kind: "table", before, head, pieces: pieces.length === 0 ? [""] : pieces };
}

/** Cell by cell: one pattern for the whole line would take quadratic time on a line of spaces. */
function isDelimiters(line: string): boolean {
  if (!line.includes("|")) return false;
  const cells = line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|");
  return cells.every((cell) => DELIMITER.test(cell));
}

function listOf(block: string): Pieces | undefined {
  let fence: string | undefined;
  let inList = false;
  const pieces = joined(linesOf(block), (line) => {
    if (fence !== undefined) {
      if (line.trim().startsWith(fence)) fence = undefined;
      return false;
    }
    fence = ANY_FENCE.exec(line)?.[1];
    const isItem = LIST_ITEM.test(line);
    const isNext = isItem && inList;
    inList ||= isItem;
    return isNext;
  });
  return pieces.length > 1 ? { kind: "list", pieces } : undefined;
}

function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Lines in pieces of about the same size; a piece begins only where it may. */
function joined(lines: readonly string[], mayBegin: (line: string) => boolean): string[] {
  const pieces: string[] = [];
  let piece = "";
  for (const line of lines) {
    if (mayBegin(line) && piece.length >= PIECE_CHARS) {
      pieces.push(piece);
      piece = "";
    }
    piece += line;
  }
  if (piece !== "") pieces.push(piece);
  return pieces;
}
