// Cuts growing Markdown into blocks that do not change any more when text is added behind them, so
// that a long answer is not parsed anew for each delta. Pure. The cut is at blank lines outside of
// fenced code, and only where the next line cannot belong to what stands before it: an indented line
// or a list item may continue a list, a row a table.

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const INNER_FENCE = /^\s*(?:[-*+]\s+|\d{1,9}[.)]\s+)?(`{3,}|~{3,})(.*)$/;
const LIST_ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
const INDENTED = /^(?: {2,}|\t)/;

/** The blocks of a Markdown text, in order; joined they are the text. */
export function markdownBlocks(text: string): string[] {
  const blocks: string[] = [];
  let begin = 0;
  let at = 0;
  let fence: string | undefined;
  let inList = false;
  let blank = false;
  while (at < text.length) {
    const newline = text.indexOf("\n", at);
    const end = newline < 0 ? text.length : newline + 1;
    const line = text.slice(at, newline < 0 ? end : newline);
    if (fence !== undefined) {
      if (closes(line, fence)) fence = undefined;
    } else if (line.trim() === "") {
      blank = true;
    } else {
      const isItem = LIST_ITEM.test(line);
      const continues = isItem ? inList : INDENTED.test(line);
      if (blank && at > begin && !continues) {
        blocks.push(text.slice(begin, at));
        begin = at;
        inList = false;
      }
      if (isItem) inList = true;
      fence = opens(line, inList);
      blank = false;
    }
    at = end;
  }
  if (begin < text.length) blocks.push(text.slice(begin));
  return blocks;
}

function opens(line: string, inList: boolean): string | undefined {
  const match = (inList ? INNER_FENCE : FENCE).exec(line);
  if (match === null) return undefined;
  const [, marks = "", info = ""] = match;
  // Backticks in the info string make it inline code.
  return marks.startsWith("`") && info.includes("`") ? undefined : marks;
}

function closes(line: string, fence: string): boolean {
  const trimmed = line.trim();
  return trimmed.length >= fence.length && trimmed === fence.charAt(0).repeat(trimmed.length);
}

/**
 * The blocks of a text that grows, each time by what it is now: what was cut before is not cut again.
 * The strings of unchanged blocks are the same objects.
 */
export class GrowingBlocks {
  #text = "";
  #blocks: readonly string[] = [];

  of(text: string): readonly string[] {
    if (text === this.#text) return this.#blocks;
    const kept = text.startsWith(this.#text) ? this.#blocks.slice(0, -1) : [];
    const begin = kept.reduce((length, block) => length + block.length, 0);
    this.#blocks = [...kept, ...markdownBlocks(text.slice(begin))];
    this.#text = text;
    return this.#blocks;
  }
}
