// Takes expressions out of a file that is going to be removed, with everything at the top of that file
// that they need, and writes them as a file of their own. The text stays as it is; only the paths of
// imports change. What depends on a run in progress, or on Inngest, cannot be taken.

import { posix } from "node:path";
import type * as ts from "typescript";
import { INNGEST_PACKAGE } from "./inngest.ts";
import type { Sources } from "./sources.ts";

/** Why an expression cannot be taken. */
export class NotTakenError extends Error {}

export class Extraction {
  readonly #sources: Sources;
  readonly #target: string;
  /** Where a project's file will be. */
  readonly #moved: (file: string) => string;
  readonly #imports = new Set<string>();
  /** By place, so that they keep the order that they had. */
  readonly #statements = new Map<string, string>();
  readonly #exports: string[] = [];

  constructor(sources: Sources, target: string, moved: (file: string) => string) {
    this.#sources = sources;
    this.#target = target;
    this.#moved = moved;
  }

  get isEmpty(): boolean {
    return this.#exports.length === 0;
  }

  /** An import that what is exported needs. */
  addImport(line: string): void {
    this.#imports.add(line);
  }

  addExport(text: string): void {
    this.#exports.push(text);
  }

  /**
   * The source text of an expression, once everything that it needs is here. `scope`: names that
   * whoever uses the text provides.
   *
   * @throws {NotTakenError} naming what it depends on.
   */
  take(file: string, node: ts.Node, scope: readonly string[] = []): string {
    const [imports, statements] = [new Set(this.#imports), new Map(this.#statements)];
    try {
      this.#needs(file, node, new Set(scope));
    } catch (error) {
      // All or nothing.
      replace(this.#imports, imports);
      this.#statements.clear();
      for (const [key, text] of statements) this.#statements.set(key, text);
      throw error;
    }
    return node.getText();
  }

  text(about: string): string {
    const blocks = [
      about,
      [...this.#imports].sort().join("\n"),
      [...this.#statements]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, text]) => text)
        .join("\n\n"),
      this.#exports.join("\n\n"),
    ];
    return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
  }

  #needs(file: string, node: ts.Node, scope: ReadonlySet<string>): void {
    const own = this.#declaredIn(node);
    for (const identifier of this.#references(node)) {
      const name = identifier.text;
      if (own.has(name) || scope.has(name)) continue;
      const imported = this.#sources.imported(file, name);
      const found = this.#sources.declared(file, identifier, name);
      if (found?.local === true) {
        throw new NotTakenError(`it uses ${name}, which exists only while the function runs`);
      }
      if (imported !== undefined) this.#import(file, name, imported);
      else if (found !== undefined) this.#statement(file, name);
      // Anything else is a global.
    }
  }

  #import(
    file: string,
    name: string,
    {
      specifier,
      name: exported,
      node,
    }: { specifier: string; name: string; node: ts.ImportDeclaration },
  ): void {
    if (INNGEST_PACKAGE.test(specifier)) {
      throw new NotTakenError(`it uses ${name} of ${specifier}`);
    }
    const target = this.#sources.resolve(file, specifier);
    const path = target === undefined ? specifier : this.#specifier(this.#moved(target), specifier);
    const isType = node.importClause?.isTypeOnly === true ? "type " : "";
    const what =
      exported === "default"
        ? name
        : exported === "*"
          ? `* as ${name}`
          : `{ ${exported === name ? name : `${exported} as ${name}`} }`;
    this.#imports.add(`import ${isType}${what} from "${path}";`);
  }

  #specifier(file: string, written: string): string {
    const bare = file.replace(/\.[cm]?[jt]sx?$/, "").replace(/\/index$/, "");
    const path = posix.relative(posix.dirname(this.#target), bare);
    const end = /\.[cm]?[jt]sx?$/.exec(written)?.[0] ?? "";
    return `${path.startsWith(".") ? path : `./${path}`}${end}`;
  }

  #statement(file: string, name: string): void {
    const statement = this.#sources.topLevel(file, name);
    if (statement === undefined) return;
    const key = `${file}:${String(statement.getStart()).padStart(9, "0")}`;
    if (this.#statements.has(key)) return;
    // Before its needs: two functions may call each other.
    this.#statements.set(key, statement.getText().replace(/^export (default )?/, ""));
    this.#needs(file, statement, new Set());
  }

  /** Identifiers that stand for something, and not for a property or a label. */
  #references(node: ts.Node): ts.Identifier[] {
    const { ts } = this.#sources;
    const found: ts.Identifier[] = [];
    const visit = (at: ts.Node): void => {
      if (ts.isIdentifier(at)) found.push(at);
      else if (ts.isPropertyAccessExpression(at)) visit(at.expression);
      else if (ts.isQualifiedName(at)) visit(at.left);
      else if (ts.isPropertyAssignment(at)) {
        if (ts.isComputedPropertyName(at.name)) visit(at.name);
        visit(at.initializer);
      } else if (ts.isPropertySignature(at) || ts.isMethodSignature(at)) {
        if (at.type !== undefined) visit(at.type);
      } else if (ts.isMethodDeclaration(at) || ts.isPropertyDeclaration(at)) {
        ts.forEachChild(at, (child) => (child === at.name ? undefined : visit(child)));
      } else if (ts.isBindingElement(at)) {
        if (at.initializer !== undefined) visit(at.initializer);
        if (!ts.isIdentifier(at.name)) visit(at.name);
      } else ts.forEachChild(at, visit);
    };
    visit(node);
    return found;
  }

  /** Names that the node itself declares. */
  #declaredIn(node: ts.Node): Set<string> {
    const { ts } = this.#sources;
    const names = new Set<string>();
    const add = (binding: ts.BindingName): void => {
      if (ts.isIdentifier(binding)) names.add(binding.text);
      else {
        for (const each of binding.elements) if (ts.isBindingElement(each)) add(each.name);
      }
    };
    const visit = (at: ts.Node): void => {
      if (ts.isVariableDeclaration(at) || ts.isParameter(at)) add(at.name);
      const named =
        ts.isFunctionLike(at) || ts.isClassLike(at) || ts.isTypeParameterDeclaration(at);
      if (named && at.name !== undefined && ts.isIdentifier(at.name)) names.add(at.name.text);
      if (ts.isInterfaceDeclaration(at) || ts.isTypeAliasDeclaration(at)) names.add(at.name.text);
      ts.forEachChild(at, visit);
    };
    visit(node);
    return names;
  }
}

function replace<T>(set: Set<T>, wanted: ReadonlySet<T>): void {
  set.clear();
  for (const each of wanted) set.add(each);
}
