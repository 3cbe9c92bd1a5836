// Adds to a Convex schema what the core's functions need: fields, status literals, indexes, a table.
// Additions only, written into the text at the right places; nothing that is there is changed.

import type * as ts from "typescript";
import { property } from "./inngest.ts";
import { type Edit, edited, type Plan } from "./plan.ts";
import type { ProjectFolder } from "./project.ts";

const STATUS = ["processing", "completed", "cancelled", "failed"];
const FIELDS: Readonly<Record<string, string>> = {
  status: `v.optional(v.union(${STATUS.map((name) => `v.literal("${name}")`).join(", ")}))`,
  triggerRunId: "v.optional(v.string())",
  toolCalls:
    "v.optional(v.array(v.object({ id: v.string(), name: v.string(), args: v.any(), result: v.optional(v.any()) })))",
};
const INDEXES: Readonly<Record<string, string[]>> = {
  by_conversation: ["conversationId"],
  by_project_status: ["projectId", "status"],
};
const EVENTS = `generationEvents: defineTable({
    projectId: v.id("projects"),
    type: v.union(v.literal("step"), v.literal("file"), v.literal("info"), v.literal("error")),
    message: v.string(),
    filePath: v.optional(v.string()),
    preview: v.optional(v.string()),
    createdAt: v.number(),
  }).index("by_project_created_at", ["projectId", "createdAt"])`;

export function editSchema(project: ProjectFolder, plan: Plan): void {
  const { ts, convex } = project;
  const path = `${convex}schema.ts`;
  const text = plan.get(path);
  if (text === undefined) {
    plan.left.push(`${path}: there is no schema; see the tables in docs/migrating-from-inngest.md`);
    return;
  }
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const tables = findTables(ts, tree);
  const messages = tables && property(ts, tables, "messages");
  const found = messages && fieldsOf(ts, messages);
  if (tables === undefined || messages === undefined || found === undefined) {
    plan.left.push(
      `${path}: no messages table with its fields written in defineTable({ ... }); add status, triggerRunId and toolCalls by hand (docs/migrating-from-inngest.md)`,
    );
    return;
  }
  const edits: Edit[] = [];
  const missing = Object.entries(FIELDS).filter(
    ([name]) => property(ts, found, name) === undefined,
  );
  if (missing.length > 0) edits.push(addProperties(found, missing));
  const status = property(ts, found, "status");
  if (status !== undefined) edits.push(...addLiterals(ts, status, plan, path));
  const source = messages.getText();
  const indexes = Object.entries(INDEXES).filter(([name]) => !source.includes(`"${name}"`));
  if (indexes.length > 0) {
    const calls = indexes.map(
      ([name, fields]) => `\n    .index("${name}", ${JSON.stringify(fields)})`,
    );
    edits.push({ start: messages.getEnd(), end: messages.getEnd(), text: calls.join("") });
  }
  if (property(ts, tables, "generationEvents") === undefined) {
    edits.push(addText(tables, EVENTS));
  }
  plan.set(path, edited(text, edits));
}

function findTables(
  ts: ProjectFolder["ts"],
  tree: ts.SourceFile,
): ts.ObjectLiteralExpression | undefined {
  let tables: ts.ObjectLiteralExpression | undefined;
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText() === "defineSchema") {
      const [first] = node.arguments;
      if (first !== undefined && ts.isObjectLiteralExpression(first)) tables = first;
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return tables;
}

/** The fields of `defineTable({ ... }).index(...)...`. */
function fieldsOf(ts: ProjectFolder["ts"], table: ts.Node): ts.ObjectLiteralExpression | undefined {
  let node = table;
  while (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    node = node.expression.expression;
  }
  if (!ts.isCallExpression(node) || node.expression.getText() !== "defineTable") return undefined;
  const [fields] = node.arguments;
  return fields !== undefined && ts.isObjectLiteralExpression(fields) ? fields : undefined;
}

function addProperties(object: ts.ObjectLiteralExpression, entries: [string, string][]): Edit {
  return addText(object, entries.map(([name, value]) => `${name}: ${value}`).join(",\n    "));
}

/** As a further property, behind the last. */
function addText(object: ts.ObjectLiteralExpression, text: string): Edit {
  const last = object.properties.at(-1);
  const at = last === undefined ? object.getStart() + 1 : last.getEnd();
  const { line } = object.getSourceFile().getLineAndCharacterOfPosition(last?.getStart() ?? at);
  const lineStart = object.getSourceFile().getPositionOfLineAndCharacter(line, 0);
  const indent = /^\s*/.exec(object.getSourceFile().text.slice(lineStart))?.[0] ?? "  ";
  const separator = last === undefined ? "" : ",";
  return { start: at, end: at, text: `${separator}\n${indent}${text}` };
}

function addLiterals(ts: ProjectFolder["ts"], status: ts.Node, plan: Plan, path: string): Edit[] {
  const missing = STATUS.filter((name) => !status.getText().includes(`v.literal("${name}")`));
  if (missing.length === 0) return [];
  let union: ts.CallExpression | undefined;
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText() === "v.union") union ??= node;
    ts.forEachChild(node, visit);
  };
  visit(status);
  const last = union?.arguments.at(-1);
  if (last === undefined) {
    plan.left.push(
      `${path}: the status of messages is no v.union of literals; it lacks ${missing.join(", ")}`,
    );
    return [];
  }
  const text = missing.map((name) => `, v.literal("${name}")`).join("");
  return [{ start: last.getEnd(), end: last.getEnd(), text }];
}
