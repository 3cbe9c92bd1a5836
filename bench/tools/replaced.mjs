// The replaced tools' algorithms in JavaScript, as they are described: they hold every row of the
// project, in the order of the store, and begin anew with each call. Only what costs time is here:
// texts of results are short. TypeScript is the version that they were built on.

import ts from "typescript";

const MAX = 50;
const TYPED = /\.(ts|tsx|js|jsx)$/;

const globOf = (pattern) => {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const glob = escaped.replace(/\*\*|\*/g, (stars) => (stars === "**" ? ".*" : "[^/]*"));
  return new RegExp(`^${glob.replace(/\?/g, ".")}$`);
};

function* positions(regex, line) {
  regex.lastIndex = 0;
  for (let found = regex.exec(line); found !== null; found = regex.exec(line)) {
    yield found;
    if (found[0] === "") regex.lastIndex++;
  }
}

function searchFiles(rows, { pattern, filePattern, caseSensitive = false }) {
  const regex = new RegExp(pattern, caseSensitive ? "g" : "gi");
  const glob = filePattern === undefined ? undefined : globOf(filePattern);
  const found = [];
  for (const { path, content } of rows) {
    if (found.length >= MAX) break;
    if (glob !== undefined && !glob.test(path)) continue;
    for (const [n, line] of content.split("\n").entries()) {
      for (const { index } of positions(regex, line)) {
        found.push(`${path}:${n + 1}:${index + 1} - ${line.trim().slice(0, 120)}`);
        if (found.length >= MAX) break;
      }
      if (found.length >= MAX) break;
    }
  }
  return found;
}

function findFilesByPattern(rows, { pattern }) {
  const glob = globOf(pattern);
  return rows.filter(({ path }) => glob.test(path)).map(({ path }) => path);
}

/** One match in a line for each type, but calls: all of them. */
const CODE = {
  import: [
    /^\s*import\s+(?:\{[^}]*\}|\*\s+as\s+\w+|\w+)\s+from\s+['"]([^'"]+)['"]/,
    /^\s*import\s+['"]([^'"]+)['"]/,
  ],
  function: [
    /(?:export\s+)?(?:default\s+)?(?:async\s+)?function\s*\*?\s+(\w+)\s*[(<]/,
    /(?:export\s+)?(?:const|let|var)\s+(\w+)\s*=\s*(?:async\s*)?(?:\([^)]*\)|\w)\s*=>/,
  ],
  class: [/(?:export\s+)?(?:default\s+)?(?:abstract\s+)?class\s+(\w+)/],
  variable: [/(?:export\s+)?(?:const|let|var)\s+(\w+)\s*=/],
  export: [
    /export\s+(?:default\s+)?(?:async\s+)?(?:function|class|const|let|var)\s+(\w+)/,
    /export\s+\{([^}]+)\}/,
    /export\s+default\s+(\w+)/,
  ],
};
const CALL = /(\w+)\s*\(/g;
const KEYWORDS = new Set(["if", "for", "while", "switch", "catch", "return", "function"]);

function searchCodebase(rows, { patternType, searchTerm, filePattern }) {
  const glob = filePattern === undefined ? undefined : globOf(filePattern);
  const term = searchTerm?.toLowerCase();
  const types = patternType === "all" ? [...Object.keys(CODE), "call"] : [patternType];
  const found = [];
  for (const { path, content } of rows) {
    if (!/\.(ts|tsx|js|jsx|mjs|cjs)$/.test(path) || (glob !== undefined && !glob.test(path)))
      continue;
    const lines = content.split("\n");
    for (const type of types) {
      for (const [n, line] of lines.entries()) {
        const names = [];
        if (type === "call") {
          for (const [, name] of positions(CALL, line)) if (!KEYWORDS.has(name)) names.push(name);
        } else {
          const match = CODE[type].map((regex) => regex.exec(line)).find((match) => match !== null);
          if (match !== undefined) names.push(match[1]);
        }
        for (const name of names) {
          if (term !== undefined && !name.toLowerCase().includes(term)) continue;
          found.push(`[${type}] ${name} - ${path}:${n + 1}\n    ${line.trim().slice(0, 120)}`);
        }
      }
    }
  }
  return found;
}

const importsOf = (text) =>
  [
    ...text.matchAll(/(?:import|export)[^'"]*from\s+['"]([^'"]+)['"]|import\s+['"]([^'"]+)['"]/g),
  ].map(([, from, alone]) => from ?? alone);
const exportsOf = (text) =>
  [
    ...text.matchAll(
      /export\s+(?:default\s+)?(?:async\s+)?(?:function|class|const|let|var|interface|type)\s+(\w+)/g,
    ),
  ].map(([, name]) => name);
const identifiersOf = (text) =>
  new Set(
    (text.match(/\b[A-Z]\w+\b|\b[a-z]+(?:[A-Z]\w*)+\b/g) ?? []).filter((name) => name.length > 2),
  );

const ENDINGS = [
  "",
  ".ts",
  ".tsx",
  ".js",
  ".jsx",
  "/index.ts",
  "/index.tsx",
  "/index.js",
  "/index.jsx",
];

/** Looks through all rows for each ending. */
function resolve(rows, from, source) {
  let base;
  if (source.startsWith(".")) {
    const parts = from.split("/").slice(0, -1);
    for (const part of source.split("/")) {
      if (part === "..") parts.pop();
      else if (part !== ".") parts.push(part);
    }
    base = parts.join("/");
  } else if (source.startsWith("@/")) base = `src/${source.slice(2)}`;
  else if (source.startsWith("/")) base = source.slice(1);
  else return undefined;
  for (const ending of ENDINGS) {
    const row = rows.find(({ path }) => path === base + ending);
    if (row !== undefined) return row.path;
  }
  return undefined;
}

const category = (path) =>
  /\.(?:(tsx?)|(jsx?|mjs|cjs)|(css|scss)|(html|xml)|(json|ya?ml|toml)|(md))$/
    .exec(path)
    ?.findIndex((part, n) => n > 0 && part !== undefined);

function getRelevantFiles(rows, { query, currentFile, maxFiles = 5 }) {
  const current = rows.find(({ path }) => path === currentFile);
  const terms = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word.length > 2);
  const imported =
    current === undefined
      ? []
      : importsOf(current.content).map((source) => resolve(rows, current.path, source));
  const used = identifiersOf(current?.content ?? "");
  const scored = [];
  for (const { path, content } of rows) {
    let score = 0;
    if (current !== undefined) {
      if (imported.includes(path)) score += 10;
      if (importsOf(content).some((source) => resolve(rows, path, source) === current.path))
        score += 10;
      if (exportsOf(content).some((name) => used.has(name))) score += 5;
      const [a, b] = [path.split("/").slice(0, -1), current.path.split("/").slice(0, -1)];
      let common = 0;
      while (common < a.length && a[common] === b[common]) common++;
      const deepest = Math.max(a.length, b.length);
      const near = deepest === 0 ? 1 : common / deepest;
      if (near > 0.5) score += 3 * near;
      if (category(path) === category(current.path)) score += 2;
    }
    const names = [...identifiersOf(content)].map((name) => name.toLowerCase());
    const matched = terms.filter((term) => names.some((name) => name.includes(term)));
    if (terms.length > 0) score += (7 * matched.length) / terms.length;
    if (path.toLowerCase().includes(query.toLowerCase().replace(/\s+/g, ""))) score += 7;
    if (content.toLowerCase().includes(query.toLowerCase())) score += 3;
    if (score > 0) scored.push({ path, score });
  }
  return scored
    .sort((a, b) => b.score - a.score)
    .slice(0, maxFiles)
    .map(({ path }) => path);
}

/** A language service for one call, without the standard library and with its own options. */
function service(rows) {
  const texts = new Map(
    rows.filter(({ path }) => TYPED.test(path)).map(({ path, content }) => [`/${path}`, content]),
  );
  const options = {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    jsx: ts.JsxEmit.ReactJSX,
    strict: true,
    esModuleInterop: true,
    skipLibCheck: true,
    allowJs: true,
    checkJs: false,
    noEmit: true,
    resolveJsonModule: true,
    isolatedModules: true,
    allowImportingTsExtensions: true,
  };
  return ts.createLanguageService({
    getScriptFileNames: () => [...texts.keys()],
    getScriptVersion: () => "1",
    getScriptSnapshot: (name) => {
      const text = texts.get(name);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => "/",
    getCompilationSettings: () => options,
    getDefaultLibFileName: () => "/lib.d.ts",
    fileExists: (name) => texts.has(name),
    readFile: (name) => texts.get(name),
  });
}

function offsetOf(rows, path, line, column) {
  const { content } = rows.find((row) => row.path === path);
  const lines = content.split("\n");
  return lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0) + column - 1;
}

function getDiagnostics(rows, { path }) {
  const language = service(rows);
  const name = `/${path}`;
  return [
    ...language.getSyntacticDiagnostics(name),
    ...language.getSemanticDiagnostics(name),
    ...language.getSuggestionDiagnostics(name),
  ].map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

function getReferences(rows, { path, line, column }) {
  const found = service(rows).getReferencesAtPosition(
    `/${path}`,
    offsetOf(rows, path, line, column),
  );
  return (found ?? []).map(({ fileName, textSpan }) => `${fileName}:${textSpan.start}`);
}

function goToDefinition(rows, { path, line, column }) {
  const found = service(rows).getDefinitionAtPosition(
    `/${path}`,
    offsetOf(rows, path, line, column),
  );
  return (found ?? []).map(({ fileName, textSpan }) => `${fileName}:${textSpan.start}`);
}

export const TOOLS = {
  searchFiles,
  findFilesByPattern,
  searchCodebase,
  getRelevantFiles,
  getDiagnostics,
  getReferences,
  goToDefinition,
};
