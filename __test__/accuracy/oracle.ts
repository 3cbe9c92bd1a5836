// What TypeScript itself says of the corpus: the language service of the `typescript` package, which
// shares no code with the server that the tools ask.

import { readFileSync } from "node:fs";
import ts from "typescript";
import { CORPUS } from "./corpus.ts";

export interface Identifier {
  path: string;
  name: string;
  offset: number;
  line: number;
  column: number;
}

const isCode = (path: string) => /\.(?:[cm]?[jt]s|[jt]sx)$/.test(path);
export const CODE = Object.keys(CORPUS).filter(isCode);
const ROOT = "/project";
const at = (path: string) => `${ROOT}/${path}`;

const options = ts.parseJsonConfigFileContent(
  JSON.parse(CORPUS["tsconfig.json"] ?? ""),
  ts.sys,
  ROOT,
).options;

const host: ts.LanguageServiceHost = {
  getCompilationSettings: () => options,
  getScriptFileNames: () => CODE.map(at),
  getScriptVersion: () => "1",
  getScriptSnapshot: (name) => {
    const text = textOf(name);
    return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
  },
  getCurrentDirectory: () => ROOT,
  getDefaultLibFileName: (wanted) => ts.getDefaultLibFilePath(wanted),
  fileExists: (name) => textOf(name) !== undefined,
  readFile: textOf,
};

function textOf(name: string): string | undefined {
  if (name.startsWith(`${ROOT}/`)) return CORPUS[name.slice(ROOT.length + 1)];
  if (!name.startsWith(libraries)) return undefined;
  try {
    return readFileSync(name, "utf8");
  } catch {
    return undefined;
  }
}
const libraries = ts.getDefaultLibFilePath(options).replace(/[^/]+$/, "");

export const service = ts.createLanguageService(host);

/** The syntax tree of a file. */
export function tree(path: string): ts.SourceFile {
  const found = service.getProgram()?.getSourceFile(at(path));
  if (found === undefined) throw new Error(`${path} is not in the program`);
  return found;
}

/** `path:line:column`; of a library, its name alone. */
export function place(file: string, offset: number): string {
  if (!file.startsWith(`${ROOT}/`)) return file.slice(file.lastIndexOf("/") + 1);
  const path = file.slice(ROOT.length + 1);
  return `${path}:${position(path, offset)}`;
}

/** Lines end as in the language server protocol: TypeScript's own also end at U+2028, which is not here. */
export function position(path: string, offset: number): string {
  const { line, character } = tree(path).getLineAndCharacterOfPosition(offset);
  return `${line + 1}:${character + 1}`;
}

/** Every identifier of the code, but those of the library that the corpus declares for JSX. */
export function identifiers(path: string): Identifier[] {
  const file = tree(path);
  const found: Identifier[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    if ((ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) && node.getWidth(file) > 0) {
      const offset = node.getStart(file);
      const { line, character } = file.getLineAndCharacterOfPosition(offset);
      found.push({ path, name: node.text, offset, line: line + 1, column: character + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

export function definitions({ path, offset }: Identifier): string[] {
  const found = service.getDefinitionAtPosition(at(path), offset) ?? [];
  return unique(found.map(({ fileName, textSpan }) => place(fileName, textSpan.start)));
}

export function references({ path, offset }: Identifier): string[] {
  const found = service.findReferences(at(path), offset) ?? [];
  const all = found.flatMap(({ references }) => references);
  return unique(all.map(({ fileName, textSpan }) => place(fileName, textSpan.start)));
}

/** `line:column code`, errors only, those of the syntax first. */
export function errors(path: string): string[] {
  const file = at(path);
  const all = [...service.getSyntacticDiagnostics(file), ...service.getSemanticDiagnostics(file)];
  return all
    .filter(({ category }) => category === ts.DiagnosticCategory.Error)
    .map(({ start = 0, code }) => `${position(path, start)} TS${code}`);
}

export function unique(items: readonly string[]): string[] {
  return [...new Set(items)].sort();
}

export interface Declared {
  kind: "function" | "class" | "variable" | "interface" | "type" | "other";
  name: string;
  at: string;
}

/** Whether a parameter is one of code that runs: those of types and of overloads are no symbols. */
function hasBody({ parent }: ts.ParameterDeclaration): boolean {
  return "body" in parent && parent.body !== undefined;
}

/** Every declared name with its kind as findSymbol groups them. */
export function declared(path: string): Declared[] {
  const file = tree(path);
  const found: Declared[] = [];
  const add = (kind: Declared["kind"], name: ts.Node | undefined): void => {
    if (name === undefined || !(ts.isIdentifier(name) || ts.isPrivateIdentifier(name))) return;
    if (name.getWidth(file) === 0 || name.text === "this") return;
    found.push({ kind, name: name.text, at: place(at(path), name.getStart(file)) });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    if (ts.isFunctionDeclaration(node) || ts.isFunctionExpression(node)) add("function", node.name);
    else if (ts.isMethodDeclaration(node) || ts.isMethodSignature(node)) add("function", node.name);
    else if (ts.isAccessor(node)) add("function", node.name);
    else if (ts.isClassLike(node)) add("class", node.name);
    else if (ts.isVariableDeclaration(node) || ts.isBindingElement(node))
      add("variable", node.name);
    else if (ts.isParameter(node) && hasBody(node)) add("variable", node.name);
    else if (ts.isInterfaceDeclaration(node)) add("interface", node.name);
    else if (ts.isTypeAliasDeclaration(node) || ts.isEnumDeclaration(node)) add("type", node.name);
    else if (ts.isTypeParameterDeclaration(node)) add("type", node.name);
    else if (ts.isPropertyDeclaration(node) || ts.isPropertySignature(node))
      add("other", node.name);
    else if (ts.isEnumMember(node)) add("other", node.name);
    else if (ts.isModuleDeclaration(node) && node.name.text !== "global") add("other", node.name);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

export interface Said {
  type: "import" | "export" | "call" | "class" | "function" | "variable";
  name: string;
  line: string;
}

/**
 * What a file says, as searchCodebase names it. A construct starts behind its decorators; a variable that
 * is a function counts as both; what a namespace exports counts, and what `exports.name = …` exports.
 */
export function said(path: string): Said[] {
  const file = tree(path);
  const found: Said[] = [];
  const add = (type: Said["type"], name: string, node: ts.Node): void => {
    const modifiers = ts.canHaveModifiers(node) ? ts.getModifiers(node) : undefined;
    const start = (modifiers?.[0] ?? behindDecorators(node)).getStart(file);
    const { line } = file.getLineAndCharacterOfPosition(start);
    found.push({ type, name, line: `${path}:${line + 1}` });
  };
  const names = (name: ts.BindingName): ts.Identifier[] =>
    ts.isIdentifier(name)
      ? [name]
      : name.elements.flatMap((element) =>
          ts.isOmittedExpression(element) ? [] : names(element.name),
        );
  const exported = (node: ts.Node): boolean =>
    ts.canHaveModifiers(node) &&
    ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
  const isDefault = (node: ts.Node): boolean =>
    ts.canHaveModifiers(node) &&
    ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword) === true;
  const isTop = (node: ts.Node): boolean =>
    ts.isSourceFile(node.parent) || ts.isModuleBlock(node.parent);
  /** The first thing of a node that is no decorator. */
  const behindDecorators = (node: ts.Node): ts.Node =>
    node.getChildren(file).find((child) => {
      const isDecorators =
        child.kind === ts.SyntaxKind.SyntaxList && child.getChildren(file).some(ts.isDecorator);
      return !ts.isJSDoc(child) && !isDecorators;
    }) ?? node;
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    const text = (specifier: ts.Node | undefined): string | undefined =>
      specifier !== undefined && ts.isStringLiteralLike(specifier) ? specifier.text : undefined;
    if (ts.isImportDeclaration(node)) add("import", text(node.moduleSpecifier) ?? "", node);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add("import", text(node.argument.literal) ?? "", node);
    }
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const callee = node.expression;
      const isImport = callee.kind === ts.SyntaxKind.ImportKeyword;
      const isRequire = ts.isIdentifier(callee) && callee.text === "require";
      const specifier = text(node.arguments?.[0]);
      if ((isImport || isRequire) && specifier !== undefined) add("import", specifier, node);
      if (ts.isIdentifier(callee)) add("call", callee.text, callee);
      if (ts.isPropertyAccessExpression(callee)) add("call", callee.name.text, callee.name);
    }
    if (ts.isExportDeclaration(node) && isTop(node)) {
      const clause = node.exportClause;
      if (clause === undefined) add("export", "*", node);
      else if (ts.isNamespaceExport(clause)) add("export", clause.name.text, node);
      else for (const { name } of clause.elements) add("export", name.text, node);
    }
    if (ts.isExportAssignment(node)) add("export", "default", node);
    if (exported(node) && isTop(node)) {
      if (isDefault(node)) add("export", "default", node);
      else if (ts.isVariableStatement(node)) {
        for (const { name } of node.declarationList.declarations) {
          for (const each of names(name)) add("export", each.text, node);
        }
      } else if (ts.isDeclarationStatement(node) && node.name !== undefined) {
        add("export", node.name.text, node);
      }
    }
    if (ts.isClassDeclaration(node)) add("class", node.name?.text ?? "default", node);
    if (ts.isFunctionDeclaration(node)) add("function", node.name?.text ?? "default", node);
    if (ts.isMethodDeclaration(node) && ts.isIdentifier(node.name))
      add("function", node.name.text, node);
    if (ts.isVariableDeclaration(node) && !ts.isCatchClause(node.parent)) {
      for (const each of names(node.name)) add("variable", each.text, node);
      const { initializer } = node;
      const isFunction =
        initializer && (ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer));
      if (isFunction && ts.isIdentifier(node.name)) add("function", node.name.text, node);
    }
    if (ts.isBinaryExpression(node) && ts.isPropertyAccessExpression(node.left)) {
      const of = node.left.expression.getText(file);
      if (of === "exports" || of === "module.exports") add("export", node.left.name.text, node);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}
