// Small, careful edits of JavaScript and JSX source text: where imports end, where an element can be
// put, which style the file is written in. Works on what readFile returned; when it finds no safe
// place it says so (undefined) instead of guessing.

export interface CodeStyle {
  typescript: boolean;
  quote: '"' | "'";
  semicolon: ";" | "";
}

/** The style of an existing file, so that new code looks like its neighbours. */
export function styleOf(path: string, source: string): CodeStyle {
  const imports = source.split("\n").filter((line) => /^\s*(import|export)\b/.test(line));
  const single = imports.filter((line) => line.includes("'")).length;
  const double = imports.filter((line) => line.includes('"')).length;
  const froms = imports.filter((line) => /['"];?\s*$/.test(line));
  const bare = froms.filter((line) => !/;\s*$/.test(line)).length;
  return {
    typescript: /\.tsx?$/.test(path),
    quote: single > double ? "'" : '"',
    semicolon: bare > froms.length / 2 ? "" : ";",
  };
}

/** Writes code in a file's style; templates are written with double quotes and semicolons. */
export function inStyle(code: string, style: CodeStyle): string {
  let text = code;
  if (style.quote === "'") text = text.replace(/^(import .*)"([^"'\n]*)"(.*)$/gm, "$1'$2'$3");
  if (style.semicolon === "") text = text.replace(/;$/gm, "");
  return text;
}

/** Adds an import behind the last one (or at the top, behind a directive). */
export function addImport(source: string, statement: string): string {
  const lines = source.split("\n");
  let last = -1;
  let open = false;
  for (const [index, line] of lines.entries()) {
    if (/^\s*import\b/.test(line)) {
      last = index;
      open = !/['"]\s*;?\s*$/.test(line);
    } else if (open) {
      last = index;
      open = !/['"]\s*;?\s*$/.test(line);
    } else if (last < 0 && /^\s*['"]use \w+['"];?\s*$/.test(line)) {
      last = index;
    }
  }
  lines.splice(last + 1, 0, statement);
  return lines.join("\n");
}

/** The offset behind the `>` of the tag that opens at `from`; undefined if it never closes. */
function tagEnd(source: string, from: number): { end: number; selfClosing: boolean } | undefined {
  let depth = 0;
  let quote = "";
  for (let i = from; i < source.length; i++) {
    const char = source[i] ?? "";
    if (quote !== "") {
      if (char === quote) quote = "";
    } else if (depth === 0 && (char === '"' || char === "'")) quote = char;
    else if (char === "{") depth++;
    else if (char === "}") depth--;
    else if (char === ">" && depth === 0) {
      return { end: i + 1, selfClosing: source[i - 1] === "/" };
    }
  }
  return undefined;
}

/** Puts `element` into the JSX that the file's component returns. */
export function addElement(source: string, element: string): string | undefined {
  for (const tag of ["header", "nav"]) {
    const close = source.indexOf(`</${tag}>`);
    if (close >= 0) return insertBeforeClose(source, close, element);
  }
  const returns = [...source.matchAll(/(?:return|=>)\s*\(?\s*(?=<)/g)].at(-1);
  if (returns === undefined) return undefined;
  const start = returns.index + returns[0].length;
  const tag = tagEnd(source, start);
  if (tag === undefined) return undefined;
  if (tag.selfClosing) {
    const whole = source.slice(start, tag.end);
    return `${source.slice(0, start)}<>\n      ${element}\n      ${whole}\n    </>${source.slice(tag.end)}`;
  }
  const rest = source.slice(tag.end);
  const indent = /^\s*\n([ \t]+)\S/.exec(rest)?.[1] ?? "      ";
  return `${source.slice(0, tag.end)}\n${indent}${element}${rest.startsWith("\n") ? "" : `\n${indent}`}${rest}`;
}

/** Puts `element` last into the component that is being returned. */
export function addElementLast(source: string, element: string): string | undefined {
  const closings = [...source.matchAll(/<\/(?:[A-Za-z][\w.]*)?>(?=\s*\)?\s*;?\s*\n?\s*\})/g)];
  const last = closings.at(-1);
  return last === undefined
    ? addElement(source, element)
    : insertBeforeClose(source, last.index, element);
}

function insertBeforeClose(source: string, close: number, element: string): string {
  const lineStart = source.lastIndexOf("\n", close) + 1;
  const before = source.slice(lineStart, close);
  if (before.trim() !== "") {
    return `${source.slice(0, close)}${element}${source.slice(close)}`;
  }
  return `${source.slice(0, lineStart)}${before}  ${element}\n${source.slice(lineStart)}`;
}

/** The file that holds the page's outermost component of our own. */
export function findApp(files: readonly string[]): string | undefined {
  const candidates = [
    /(^|\/)src\/App\.[jt]sx$/,
    /(^|\/)App\.[jt]sx$/,
    /(^|\/)src\/app\/page\.[jt]sx$/,
    /(^|\/)app\/page\.[jt]sx$/,
    /(^|\/)pages\/index\.[jt]sx$/,
  ];
  for (const pattern of candidates) {
    const found = files.find((path) => pattern.test(path) && !path.includes("node_modules/"));
    if (found !== undefined) return found;
  }
  return undefined;
}

export function findStylesheet(files: readonly string[]): string | undefined {
  const sheets = files.filter((path) => /(?<!\.module)\.(css|scss)$/.test(path));
  return (
    sheets.find((path) => /(^|\/)(index|styles?|globals?|main)\.(css|scss)$/.test(path)) ??
    sheets.find((path) => /(^|\/)App\.(css|scss)$/.test(path)) ??
    sheets[0]
  );
}
