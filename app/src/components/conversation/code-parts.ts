// Long code in parts of so many lines, as text and as tokens. Pure. Joined by newlines the parts are the
// code: a part is a block of its own on the page, which stands for the newline behind it.

import type { Token } from "../../live/languages.ts";

export const LINES_PER_PART = 60;

export function codeParts(code: string): string[] {
  const parts: string[] = [];
  let begin = 0;
  let lines = 0;
  for (let at = code.indexOf("\n"); at >= 0; at = code.indexOf("\n", at + 1)) {
    lines += 1;
    if (lines < LINES_PER_PART) continue;
    parts.push(code.slice(begin, at));
    begin = at + 1;
    lines = 0;
  }
  parts.push(code.slice(begin));
  return parts;
}

/** The same parts as tokens; one that runs over a part's end (a comment, a string) is cut there. */
export function tokenParts(tokens: readonly Token[]): Token[][] {
  let part: Token[] = [];
  const parts = [part];
  let lines = 0;
  const add = (text: string, classes: string): void => {
    if (text !== "") part.push({ text, classes });
  };
  for (const { text, classes } of tokens) {
    let begin = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
      lines += 1;
      if (lines < LINES_PER_PART) continue;
      add(text.slice(begin, at), classes);
      part = [];
      parts.push(part);
      begin = at + 1;
      lines = 0;
    }
    add(text.slice(begin), classes);
  }
  return parts;
}
