// The place where an app's function asks its model: the object with the prompt, the tools and the
// numbers, wherever it stands.

import type * as ts from "typescript";
import { property } from "./inngest.ts";
import { type Sources, unwrapped } from "./sources.ts";

export interface Place {
  file: string;
  node: ts.ObjectLiteralExpression;
}

/** Names under which apps and libraries give the same thing, in the order of preference. */
export const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  maxSteps: ["maxSteps", "maxIter", "maxIterations", "maxTurns"],
  maxOutputTokens: ["maxOutputTokens", "maxTokens", "max_tokens", "max_completion_tokens"],
  temperature: ["temperature"],
};

/** Imports are followed this far: a route's helper, and the helper's own. */
const MAX_DEPTH = 2;

/**
 * The object that says most of how the model is asked: one with tools before one without, in the
 * function before its file, there before the files that it imports.
 */
export function findCall(sources: Sources, file: string, root: ts.Node): Place | undefined {
  const inFunction = best(sources, file, root);
  if (inFunction !== undefined && inFunction.score >= GOOD) return inFunction.place;
  const seen = new Set<string>();
  let found = inFunction;
  let files = [file];
  for (let depth = 0; depth <= MAX_DEPTH && files.length > 0; depth++) {
    for (const each of files) {
      seen.add(each);
      const here = best(sources, each, sources.tree(each));
      if (here !== undefined && here.score > (found?.score ?? 0)) found = here;
    }
    if (found !== undefined) return found.place;
    files = files.flatMap((each) => importedFiles(sources, each)).filter((each) => !seen.has(each));
  }
  return found?.place;
}

/** Has a prompt and something else of a call. */
const GOOD = 3;

function best(sources: Sources, file: string, root: ts.Node) {
  const { ts } = sources;
  let found: { place: Place; score: number } | undefined;
  const visit = (node: ts.Node): void => {
    if (ts.isObjectLiteralExpression(node)) {
      const score = scoreOf(sources, node);
      if (score > (found?.score ?? 0)) found = { place: { file, node }, score };
    }
    ts.forEachChild(node, visit);
  };
  visit(root);
  return found;
}

function scoreOf({ ts }: Sources, node: ts.ObjectLiteralExpression): number {
  const has = (name: string): number => (property(ts, node, name) === undefined ? 0 : 1);
  const numbers = Object.values(NUMBERS)
    .flat()
    .some((name) => has(name) === 1);
  const score =
    3 * has("tools") + 2 * has("system") + has("model") + has("messages") + (numbers ? 1 : 0);
  return has("system") + has("tools") + has("model") === 0 ? 0 : score;
}

export function importedFiles(sources: Sources, file: string): string[] {
  return sources
    .imports(file)
    .map(({ moduleSpecifier }) =>
      sources.resolve(file, (moduleSpecifier as import("typescript").StringLiteral).text),
    )
    .filter((each) => each !== undefined);
}

/** The number of a call, there, in the model's settings, or elsewhere in the function. */
export function numberOf(
  sources: Sources,
  call: Place,
  settings: Place | undefined,
  root: { file: string; node: ts.Node },
  names: readonly string[],
): { file: string; node: ts.Expression } | undefined {
  const { ts } = sources;
  for (const place of [call, ...(settings === undefined ? [] : [settings])]) {
    for (const name of names) {
      const value = property(ts, place.node, name);
      if (value !== undefined) return { file: place.file, node: value as ts.Expression };
    }
  }
  // `stopWhen: stepCountIs(5)` of the AI SDK; `createNetwork({ maxIter })` beside `createAgent`.
  let found: { file: string; node: ts.Expression } | undefined;
  const isSteps = names.includes("maxSteps");
  const visit = (node: ts.Node): void => {
    if (isSteps && ts.isCallExpression(node) && node.expression.getText() === "stepCountIs") {
      const [count] = node.arguments;
      if (count !== undefined) found ??= { file: root.file, node: count };
    }
    if (ts.isObjectLiteralExpression(node) && isSteps) {
      for (const name of names) {
        const value = property(ts, node, name);
        if (value !== undefined) found ??= { file: root.file, node: value as ts.Expression };
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(root.node);
  if (found === undefined && call.file === root.file) visit(sources.tree(root.file));
  return found;
}

/** A local variable's first value, and where it is changed afterwards. */
export function firstValue(
  sources: Sources,
  file: string,
  expression: ts.Expression,
): { file: string; node: ts.Expression; changedOn: number[] } {
  const { ts } = sources;
  const bare = unwrapped(ts, expression);
  if (!ts.isIdentifier(bare)) return { file, node: bare, changedOn: [] };
  const found = sources.declared(file, bare, bare.text);
  if (found?.local !== true || found.value === undefined)
    return { file, node: bare, changedOn: [] };
  const changedOn: number[] = [];
  const visit = (node: ts.Node): void => {
    if (
      ts.isBinaryExpression(node) &&
      ts.isIdentifier(node.left) &&
      node.left.text === bare.text &&
      /^(\+|\|\||\?\?)?=$/.test(node.operatorToken.getText())
    ) {
      changedOn.push(sources.tree(file).getLineAndCharacterOfPosition(node.getStart()).line + 1);
    }
    ts.forEachChild(node, visit);
  };
  visit(sources.tree(file));
  return { file: found.file, node: unwrapped(ts, found.value), changedOn };
}
