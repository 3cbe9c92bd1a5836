// Cuts a long paragraph where none of its inline Markdown is open: between words of one line, behind
// which nothing could be taken for the beginning of a block. Pure, and linear in the text.

/** A line that neither interrupts a paragraph nor makes a heading or a table of it. */
const TEXT_LINE = /^ {0,3}(?:[\p{L}"'(“‘«]|\*\*(?![*\s])|`(?!``)|\d+(?![\d.)]))/u;
const LETTER = /\p{L}/u;
const SPACE = /^\s?$/;
const PUNCTUATION = /[\p{P}\p{S}]/u;
/** Whoever writes without spaces ends sentences so. */
const FULL_STOP = /[。！？]/;
const ADDRESS = ["://", "www.", "@"];

/**
 * Its pieces; undefined if it cannot be cut. Each but the last has `least` characters at least. Where
 * something stays open for more than `most`, it is taken for text: nobody closes it any more.
 */
export function paragraphOf(block: string, least: number, most: number): string[] | undefined {
  const lines = block.trimEnd().split("\n");
  if (!lines.every((line) => TEXT_LINE.test(line))) return undefined;
  const pieces: string[] = [];
  let begin = 0;
  let inline = new Inline(block);
  for (let at = 0; at < block.length; ) {
    const length = at - begin;
    if (length >= least && (inline.isClosed || length >= most) && mayCut(block, at)) {
      pieces.push(block.slice(begin, at));
      begin = at;
      inline = new Inline(block);
    }
    at = inline.pass(at);
  }
  pieces.push(block.slice(begin));
  return pieces.length > 1 ? pieces : undefined;
}

/** Between words of one line, or behind a sentence, before a letter. */
function mayCut(text: string, at: number): boolean {
  const before = text.charAt(at - 1);
  const isBetween = before === " " ? !SPACE.test(text.charAt(at - 2)) : FULL_STOP.test(before);
  return isBetween && LETTER.test(text.charAt(at));
}

/** What is open of inline Markdown, read from its start; https://spec.commonmark.org/0.31.2/#inlines. */
class Inline {
  readonly #text: string;
  /** How many marks of each kind began an emphasis that has not ended. */
  readonly #marks: Record<string, number> = { "*": 0, _: 0, "~": 0 };
  /** Of a link: its text, then its target. */
  #brackets = 0;
  #target = 0;
  /** Of code: how many backticks end it. */
  #ticks = 0;
  #tag = false;
  /** An address in the text, which a space ends. */
  #address = false;

  constructor(text: string) {
    this.#text = text;
  }

  get isClosed(): boolean {
    const isInLink = this.#brackets > 0 || this.#target > 0 || this.#address;
    const isPlain = !isInLink && this.#ticks === 0 && !this.#tag;
    return isPlain && Object.values(this.#marks).every((count) => count === 0);
  }

  /** Reads on at `at`; where to read next. */
  pass(at: number): number {
    const char = this.#text.charAt(at);
    if (char === "`") return this.#code(at);
    if (this.#ticks > 0) return at + 1;
    if (SPACE.test(char)) this.#address = false;
    else this.#address ||= ADDRESS.some((mark) => this.#text.startsWith(mark, at));
    switch (char) {
      case "\\":
        return at + 2;
      case "*":
      case "_":
      case "~":
        return this.#emphasis(at, char);
      case "[":
        this.#brackets += 1;
        break;
      case "]":
        this.#brackets = Math.max(0, this.#brackets - 1);
        if (this.#text.charAt(at + 1) === "(") this.#target = Math.max(this.#target, 1);
        return this.#target > 0 ? at + 2 : at + 1;
      case "(":
        if (this.#target > 0) this.#target += 1;
        break;
      case ")":
        this.#target = Math.max(0, this.#target - 1);
        break;
      case "<":
        this.#tag = !SPACE.test(this.#text.charAt(at + 1));
        break;
      case ">":
        this.#tag = false;
        break;
    }
    return at + 1;
  }

  #code(at: number): number {
    const end = this.#endOfRun(at);
    if (this.#ticks === 0) this.#ticks = end - at;
    else if (this.#ticks === end - at) this.#ticks = 0;
    return end;
  }

  #emphasis(at: number, mark: string): number {
    const end = this.#endOfRun(at);
    const [before, after] = [this.#text.charAt(at - 1), this.#text.charAt(end)];
    const [isAfterMark, isBeforeMark] = [PUNCTUATION.test(before), PUNCTUATION.test(after)];
    const isLeft = !SPACE.test(after) && (!isBeforeMark || SPACE.test(before) || isAfterMark);
    const isRight = !SPACE.test(before) && (!isAfterMark || SPACE.test(after) || isBeforeMark);
    // Within a word an underscore is one.
    const isWithin = mark === "_" && isLeft && isRight;
    const opens = isLeft && (!isWithin || isAfterMark);
    const closes = isRight && (!isWithin || isBeforeMark);
    const open = this.#marks[mark] ?? 0;
    if (closes && open > 0) this.#marks[mark] = Math.max(0, open - (end - at));
    else if (opens) this.#marks[mark] = open + (end - at);
    return end;
  }

  #endOfRun(at: number): number {
    const char = this.#text.charAt(at);
    let end = at;
    while (this.#text.charAt(end) === char) end += 1;
    return end;
  }
}
