// Cuts a long paragraph where none of its inline Markdown is open: between words of one line, behind
// which nothing could be taken for the beginning of a block. Pure, and linear in the text.

/** A line that neither interrupts a paragraph nor makes a heading or a table of it. */
const TEXT_LINE =
  /^ {0,3}(?:[\p{L}\p{Extended_Pictographic}"'“‘«„(¿¡$€£—–…]|[*_]{1,2}(?=[\p{L}\p{N}"'(])|`(?!``)|\[(?![^\]]*\]:)|\d+(?!\d|[.)](?:\s|$)))/u;
/** As CommonMark counts them. */
const LINE_END = /\r\n?|\n/;
const LETTER = /\p{L}/u;
const SPACE = /^\s?$/;
const PUNCTUATION = /[\p{P}\p{S}]/u;
/** Whoever writes without spaces ends sentences so. */
const FULL_STOP = /[。！？]/;
const ADDRESS = ["://", "www.", "@"];
const MARK = /[`*~[\]<>\\]/;
/** An address at the beginning of a piece would be one where it was none. */
const WWW = /^www\./i;

/**
 * Its pieces; undefined if it cannot be cut. Each but the last has `least` characters at least. Where
 * something stays open for more than `most`, it is taken for text: nobody closes it any more. The pieces
 * of what the block grew from are not read again, but the last two: what follows a cut may undo it.
 */
export function paragraphOf(
  block: string,
  least: number,
  most: number,
  grownFrom: readonly string[] = [],
): string[] | undefined {
  const lines = block.trimEnd().split(LINE_END);
  if (!lines.every((line) => TEXT_LINE.test(line))) return undefined;
  const pieces = grownFrom.slice(0, -2);
  let begin = pieces.reduce((length, piece) => length + piece.length, 0);
  let inline = new Inline(block);
  for (let at = begin; at < block.length; ) {
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
  return isBetween && LETTER.test(text.charAt(at)) && !WWW.test(text.slice(at, at + 4));
}

/** What is open of inline Markdown, read from its start; https://spec.commonmark.org/0.31.2/#inlines. */
class Inline {
  readonly #text: string;
  /** How many marks of each kind began an emphasis that has not ended. */
  readonly #marks: Record<string, number> = { "*": 0, _: 0, "~": 0 };
  /** Of a link: its text, then its target. */
  #brackets = 0;
  #target = 0;
  /** What ends a title or an address in brackets there. */
  #quote = "";
  /** Of code: how many backticks end it. */
  #ticks = 0;
  /** What ends a tag or a comment. */
  #tag = "";
  /** An address in the text, which a space ends. */
  #address = false;
  /** A mark stood in an address: nobody knows whether it is one of it. */
  #unclear = false;

  constructor(text: string) {
    this.#text = text;
  }

  get isClosed(): boolean {
    const isInLink = this.#brackets > 0 || this.#target > 0 || this.#address || this.#unclear;
    const isPlain = !isInLink && this.#ticks === 0 && this.#tag === "";
    return isPlain && Object.values(this.#marks).every((count) => count === 0);
  }

  /** Reads on at `at`; where to read next. */
  pass(at: number): number {
    const char = this.#text.charAt(at);
    if (this.#address) this.#unclear ||= MARK.test(char);
    if (char === "`") return this.#code(at);
    if (this.#ticks > 0) return at + 1;
    if (this.#target > 0 && this.#isQuoted(char)) return at + 1;
    if (SPACE.test(char)) this.#address = false;
    else if (this.#target === 0 && this.#tag === "") {
      this.#address ||= ADDRESS.some((mark) => this.#text.startsWith(mark, at));
    }
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
        if (this.#target > 0 || this.#text.charAt(at + 1) !== "(") break;
        this.#target = 1;
        return at + 2;
      case "(":
        if (this.#target > 0) this.#target += 1;
        break;
      case ")":
        this.#target = Math.max(0, this.#target - 1);
        break;
      case "<":
        if (this.#tag === "" && !SPACE.test(this.#text.charAt(at + 1))) {
          this.#tag = this.#text.startsWith("<!--", at) ? "-->" : ">";
        }
        break;
      case ">":
        if (this.#text.endsWith(this.#tag, at + 1)) this.#tag = "";
        break;
    }
    return at + 1;
  }

  /** Whether a character of a link's target is part of a title, or of an address in brackets. */
  #isQuoted(char: string): boolean {
    if (this.#quote !== "") {
      if (char === this.#quote) this.#quote = "";
      return true;
    }
    if (char === '"' || char === "'") this.#quote = char;
    else if (char === "<") this.#quote = ">";
    return this.#quote !== "";
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
    // What is more than it closes may open another.
    const closed = closes ? Math.min(open, end - at) : 0;
    const opened = opens ? end - at - closed : 0;
    this.#marks[mark] = open - closed + opened;
    return end;
  }

  #endOfRun(at: number): number {
    const char = this.#text.charAt(at);
    let end = at;
    while (this.#text.charAt(end) === char) end += 1;
    return end;
  }
}
