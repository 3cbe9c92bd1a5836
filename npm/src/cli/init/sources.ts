// The project's sources as syntax trees, and what a name in them stands for: a local variable, something
// at the top of its file, or of the file that it is imported from. Nothing here changes anything.

import { posix } from "node:path";
import type * as ts from "typescript";
import type { ProjectFolder } from "./project.ts";

/** Where a name is declared. */
export interface Declared {
  file: string;
  /** The variable declaration, function, class, type … */
  node: ts.Node;
  /** What a variable begins with. */
  value: ts.Expression | undefined;
  /** Not at the top of its file: it exists only while a function runs. */
  local: boolean;
}

export interface Imported {
  /** As it is written in the import. */
  specifier: string;
  /** The exported name; `default` and `*` as such. */
  name: string;
  node: ts.ImportDeclaration;
}

const EXTENSIONS = [
  "",
  ".ts",
  ".tsx",
  ".mts",
  ".js",
  ".jsx",
  ".mjs",
  "/index.ts",
  "/index.tsx",
  "/index.js",
];
/** Names lead to names; beyond this it is a circle. */
const MAX_HOPS = 8;

export class Sources {
  readonly project: ProjectFolder;
  readonly #trees = new Map<string, ts.SourceFile>();
  readonly #files: Set<string>;
  readonly #aliases: [prefix: string, target: string][];

  constructor(project: ProjectFolder) {
    this.project = project;
    this.#files = new Set(project.sources);
    this.#aliases = aliasesOf(project);
  }

  get ts(): ProjectFolder["ts"] {
    return this.project.ts;
  }

  tree(file: string): ts.SourceFile {
    const known = this.#trees.get(file);
    if (known !== undefined) return known;
    const text = this.project.read(file) ?? "";
    const tree = this.ts.createSourceFile(file, text, this.ts.ScriptTarget.Latest, true);
    this.#trees.set(file, tree);
    return tree;
  }

  /** The project's file that an import of `from` leads to; undefined: it is a package's. */
  resolve(from: string, specifier: string): string | undefined {
    const bases = specifier.startsWith(".")
      ? [posix.join(posix.dirname(from), specifier)]
      : this.#aliases
          .filter(([prefix]) => specifier.startsWith(prefix))
          .map(([prefix, target]) => posix.join(target, specifier.slice(prefix.length)));
    for (const base of bases) {
      const bare = base.replace(/\.[cm]?jsx?$/, "");
      for (const candidate of [base, bare].flatMap((path) => EXTENSIONS.map((end) => path + end))) {
        if (this.#files.has(candidate)) return candidate;
      }
    }
    return undefined;
  }

  imports(file: string): ts.ImportDeclaration[] {
    return this.tree(file).statements.filter(this.ts.isImportDeclaration);
  }

  /** The import that brings `name` into a file. */
  imported(file: string, name: string): Imported | undefined {
    const { ts } = this;
    for (const node of this.imports(file)) {
      const specifier = (node.moduleSpecifier as ts.StringLiteral).text;
      const { importClause: clause } = node;
      if (clause?.name?.text === name) return { specifier, name: "default", node };
      const bindings = clause?.namedBindings;
      if (bindings === undefined) continue;
      if (ts.isNamespaceImport(bindings)) {
        if (bindings.name.text === name) return { specifier, name: "*", node };
        continue;
      }
      const found = bindings.elements.find((element) => element.name.text === name);
      if (found) return { specifier, name: (found.propertyName ?? found.name).text, node };
    }
    return undefined;
  }

  /** The statement at the top of a file that declares `name`. */
  topLevel(file: string, name: string): ts.Statement | undefined {
    return this.tree(file).statements.find((statement) => this.#declares(statement, name));
  }

  #declares(statement: ts.Statement, name: string): boolean {
    const { ts } = this;
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.some((each) => declares(ts, each.name, name));
    }
    return (
      (ts.isFunctionDeclaration(statement) ||
        ts.isClassDeclaration(statement) ||
        ts.isInterfaceDeclaration(statement) ||
        ts.isTypeAliasDeclaration(statement) ||
        ts.isEnumDeclaration(statement)) &&
      statement.name?.text === name
    );
  }

  /** What an identifier stands for, through imports of the project's own files. */
  declared(file: string, at: ts.Node, name: string, hops = 0): Declared | undefined {
    const { ts } = this;
    // From the inside out: the nearest block that declares it.
    for (let scope: ts.Node | undefined = at.parent; scope; scope = scope.parent) {
      const found = ts.isBlock(scope) ? this.#inBlock(scope, name) : undefined;
      if (found !== undefined) {
        return { file, node: found, value: found.initializer, local: true };
      }
      if (
        ts.isFunctionLike(scope) &&
        scope.parameters.some((each) => declares(ts, each.name, name))
      ) {
        return { file, node: scope, value: undefined, local: true };
      }
    }
    return this.#exported(file, name, hops);
  }

  #inBlock(block: ts.Block, name: string): ts.VariableDeclaration | undefined {
    const { ts } = this;
    for (const statement of block.statements) {
      if (!ts.isVariableStatement(statement)) continue;
      for (const each of statement.declarationList.declarations) {
        if (declares(ts, each.name, name)) return each;
      }
    }
    return undefined;
  }

  #exported(file: string, name: string, hops: number): Declared | undefined {
    const { ts } = this;
    if (hops > MAX_HOPS) return undefined;
    const statement = this.topLevel(file, name);
    if (statement !== undefined) {
      const node = ts.isVariableStatement(statement)
        ? statement.declarationList.declarations.find((each) => declares(ts, each.name, name))
        : statement;
      if (node === undefined) return undefined;
      const value = ts.isVariableDeclaration(node) ? node.initializer : undefined;
      return { file, node, value, local: false };
    }
    const imported = this.imported(file, name);
    if (imported !== undefined) {
      const target = this.resolve(file, imported.specifier);
      return target === undefined ? undefined : this.#exported(target, imported.name, hops + 1);
    }
    // `export { name } from "./elsewhere"` and `export * from "./elsewhere"`.
    for (const each of this.tree(file).statements) {
      if (!ts.isExportDeclaration(each) || each.moduleSpecifier === undefined) continue;
      const target = this.resolve(file, (each.moduleSpecifier as ts.StringLiteral).text);
      if (target === undefined) continue;
      const clause = each.exportClause;
      if (clause !== undefined && !ts.isNamedExports(clause)) continue;
      const named = clause?.elements.find((element) => element.name.text === name);
      if (clause !== undefined && named === undefined) continue;
      const inner = (named?.propertyName ?? named?.name)?.text ?? name;
      const found = this.#exported(target, inner, hops + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The expression behind a name, as far as names lead. */
  value(file: string, node: ts.Expression, hops = 0): { file: string; node: ts.Expression } {
    const { ts } = this;
    const bare = unwrapped(ts, node);
    if (!ts.isIdentifier(bare) || hops > MAX_HOPS) return { file, node: bare };
    const found = this.declared(file, bare, bare.text);
    if (found?.value === undefined) return { file, node: bare };
    return this.value(found.file, found.value, hops + 1);
  }

  /** The text that an expression is, if it is one in the source. */
  text(file: string, node: ts.Expression | undefined): string | undefined {
    if (node === undefined) return undefined;
    const { node: value } = this.value(file, node);
    return this.ts.isStringLiteralLike(value) ? value.text : undefined;
  }
}

/** Without parentheses, `as`, `satisfies` and `!`. */
export function unwrapped(ts: ProjectFolder["ts"], node: ts.Expression): ts.Expression {
  let bare = node;
  while (
    ts.isParenthesizedExpression(bare) ||
    ts.isAsExpression(bare) ||
    ts.isSatisfiesExpression(bare) ||
    ts.isNonNullExpression(bare)
  ) {
    bare = bare.expression;
  }
  return bare;
}

/** Whether a binding, a pattern too, declares a name. */
export function declares(ts: ProjectFolder["ts"], binding: ts.BindingName, name: string): boolean {
  if (ts.isIdentifier(binding)) return binding.text === name;
  return binding.elements.some(
    (each) => ts.isBindingElement(each) && declares(ts, each.name, name),
  );
}

function aliasesOf({ ts, read, source }: ProjectFolder): [string, string][] {
  const text = read("tsconfig.json");
  const parsed =
    text === undefined ? undefined : ts.parseConfigFileTextToJson("tsconfig.json", text);
  const options = (parsed?.config?.compilerOptions ?? {}) as {
    baseUrl?: string;
    paths?: Record<string, string[]>;
  };
  const found = Object.entries(options.paths ?? {}).flatMap(([pattern, targets]) =>
    targets
      .filter((target) => pattern.endsWith("*") && target.endsWith("*"))
      .map((target): [string, string] => [
        pattern.slice(0, -1),
        posix.join(options.baseUrl ?? ".", target.slice(0, -1)),
      ]),
  );
  return found.length > 0 ? found : [["@/", source]];
}
