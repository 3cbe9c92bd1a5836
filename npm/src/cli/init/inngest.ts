// Finds what a project does with Inngest: its client, its functions, the routes that serve them and the
// places that send events. It reads syntax trees and changes nothing.

import type * as ts from "typescript";
import type { ProjectFolder } from "./project.ts";

export interface InngestFunction {
  id: string;
  /** The event or cron expression that starts it. */
  trigger: string;
  file: string;
  node: ts.CallExpression;
}

export interface Send {
  file: string;
  /** The event's name; undefined when it is not written there. */
  name: string | undefined;
  /** The object literal of its data. */
  data: ts.ObjectLiteralExpression | undefined;
  /** The whole `inngest.send(...)` expression. */
  start: number;
  end: number;
}

export interface Findings {
  functions: InngestFunction[];
  sends: Send[];
  /** Files that serve functions over HTTP. */
  serving: string[];
  /** Files that make a client. */
  clients: string[];
  /** All files that import Inngest's packages. */
  importing: string[];
}

export const INNGEST_PACKAGE = /^(inngest|@inngest\/.+)(\/|$)/;

export function findInngest(project: ProjectFolder): Findings {
  const { ts } = project;
  const found: Findings = {
    functions: [],
    sends: [],
    serving: [],
    clients: [],
    importing: [],
  };
  for (const file of project.sources) {
    const text = project.read(file) ?? "";
    if (!/inngest|createFunction/i.test(text)) continue;
    const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    const modules = tree.statements
      .filter(ts.isImportDeclaration)
      .map(({ moduleSpecifier }) => (moduleSpecifier as ts.StringLiteral).text);
    if (modules.some((name) => INNGEST_PACKAGE.test(name))) found.importing.push(file);
    if (modules.some((name) => /^inngest\/(next|express|edge|remix)/.test(name))) {
      found.serving.push(file);
    }
    const visit = (node: ts.Node): void => {
      if (ts.isNewExpression(node) && node.expression.getText() === "Inngest")
        found.clients.push(file);
      if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
        const method = node.expression.name.text;
        if (method === "createFunction") addFunction(found, project, file, node);
        const object = node.expression.expression.getText();
        if (method === "send" && /inngest/i.test(object)) addSend(found, project, file, node);
      }
      ts.forEachChild(node, visit);
    };
    visit(tree);
  }
  return found;
}

function addFunction(
  found: Findings,
  { ts }: ProjectFolder,
  file: string,
  node: ts.CallExpression,
): void {
  const [options, second] = node.arguments;
  // Since version 4 the trigger stands among the options; several are a list.
  const declared = options && property(ts, options, "triggers");
  const given = declared ?? (node.arguments.length > 2 ? second : undefined);
  const trigger = given && ts.isArrayLiteralExpression(given) ? given.elements[0] : given;
  const id =
    (options && textOf(ts, property(ts, options, "id"))) ??
    (options && textOf(ts, property(ts, options, "name"))) ??
    "(without an id)";
  const started =
    trigger === undefined
      ? ""
      : (textOf(ts, property(ts, trigger, "event")) ??
        textOf(ts, property(ts, trigger, "cron")) ??
        trigger.getText());
  found.functions.push({ id, trigger: started, file, node });
}

function addSend(
  found: Findings,
  { ts }: ProjectFolder,
  file: string,
  node: ts.CallExpression,
): void {
  const [event] = node.arguments;
  const data = event && property(ts, event, "data");
  found.sends.push({
    file,
    name: event && textOf(ts, property(ts, event, "name")),
    data: data && ts.isObjectLiteralExpression(data) ? data : undefined,
    start: node.getStart(),
    end: node.getEnd(),
  });
}

/** The value of a property of an object literal; a shorthand one is its own name. */
export function property(
  ts: ProjectFolder["ts"],
  node: ts.Node,
  name: string,
): ts.Node | undefined {
  if (!ts.isObjectLiteralExpression(node)) return undefined;
  for (const member of node.properties) {
    const key = member.name;
    if (key === undefined || !(ts.isIdentifier(key) || ts.isStringLiteral(key))) continue;
    if (key.text !== name) continue;
    if (ts.isPropertyAssignment(member)) return member.initializer;
    if (ts.isShorthandPropertyAssignment(member)) return member.name;
  }
  return undefined;
}

export function textOf(ts: ProjectFolder["ts"], node: ts.Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  return ts.isStringLiteralLike(node) ? node.text : undefined;
}
