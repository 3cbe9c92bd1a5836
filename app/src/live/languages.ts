// Which language a file or a code block is in, and its tokens. Grammars are loaded when they are first
// needed.

import { type Language, LanguageDescription, type LanguageSupport } from "@codemirror/language";
import { languages } from "@codemirror/language-data";
import { classHighlighter, highlightCode } from "@lezer/highlight";

/** Longer code is shown without colours: it must not hold up the page. */
const MAX_HIGHLIGHTED_CHARS = 60_000;

export interface Token {
  text: string;
  classes: string;
}

export async function languageOfFile(name: string): Promise<LanguageSupport | undefined> {
  return await LanguageDescription.matchFilename(languages, name)?.load();
}

/** The tokens of code in a language as a fence names it; undefined: it is not known. */
export async function highlight(code: string, info: string): Promise<Token[] | undefined> {
  if (code.length > MAX_HIGHLIGHTED_CHARS) return undefined;
  const described = LanguageDescription.matchLanguageName(languages, info, false);
  const support = await described?.load();
  return support === undefined ? undefined : tokensOf(code, support.language);
}

function tokensOf(code: string, language: Language): Token[] {
  const tokens: Token[] = [];
  highlightCode(
    code,
    language.parser.parse(code),
    classHighlighter,
    (text, classes) => tokens.push({ text, classes }),
    () => tokens.push({ text: "\n", classes: "" }),
  );
  return tokens;
}
