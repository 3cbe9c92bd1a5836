// Adds to a Convex schema what the core's functions need: fields, status literals, indexes, a table.
// Additions only, written into the text at the right places; nothing that is there is changed.

import type * as ts from "typescript";
import { property } from "./inngest.ts";
import { type Edit, edited, type Plan } from "./plan.ts";
import type { ProjectFolder } from "./project.ts";

interface Table {
  /** Without these nothing works; init cannot invent their values. */
  needed: readonly string[];
  fields: Readonly<Record<string, string>>;
  /** Unions of literals that must have at least these. */
  literals: Readonly<Record<string, readonly string[]>>;
  indexes: Readonly<Record<string, readonly string[]>>;
}

const union = (names: readonly string[]): string =>
  `v.optional(v.union(${names.map((name) => `v.literal("${name}")`).join(", ")}))`;
const STATUS = ["processing", "completed", "cancelled", "failed"];
const IMPORTS = ["importing", "completed", "failed"];
const EXPORTS = ["exporting", "completed", "failed", "cancelled"];

const TABLES: Readonly<Record<string, Table>> = {
  messages: {
    needed: ["conversationId", "projectId", "role", "content"],
    fields: {
      status: union(STATUS),
      triggerRunId: "v.optional(v.string())",
      toolCalls:
        "v.optional(v.array(v.object({ id: v.string(), name: v.string(), args: v.any(), result: v.optional(v.any()) })))",
    },
    literals: { status: STATUS },
    indexes: {
      by_conversation: ["conversationId"],
      by_project_status: ["projectId", "status"],
    },
  },
  projects: {
    needed: ["name", "ownerId", "updatedAt"],
    fields: {
      importStatus: union(IMPORTS),
      exportStatus: union(EXPORTS),
      exportRepoUrl: "v.optional(v.string())",
    },
    literals: { importStatus: IMPORTS, exportStatus: EXPORTS },
    indexes: {},
  },
  conversations: {
    needed: ["projectId", "title", "updatedAt"],
    fields: {},
    literals: {},
    indexes: { by_project: ["projectId"] },
  },
  files: {
    needed: ["projectId", "name", "type", "updatedAt"],
    fields: {
      parentId: 'v.optional(v.id("files"))',
      content: "v.optional(v.string())",
      storageId: 'v.optional(v.id("_storage"))',
    },
    literals: {},
    indexes: {
      by_project: ["projectId"],
      by_parent: ["parentId"],
      by_project_parent: ["projectId", "parentId"],
    },
  },
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
  const found = tables && property(ts, tables, "messages");
  if (tables === undefined || found === undefined || fieldsOf(ts, found) === undefined) {
    plan.left.push(
      `${path}: no messages table with its fields written in defineTable({ ... }); add what is missing by hand (docs/migrating-from-inngest.md)`,
    );
    return;
  }
  const edits: Edit[] = [];
  for (const [name, wanted] of Object.entries(TABLES)) {
    const table = property(ts, tables, name);
    const fields = table && fieldsOf(ts, table);
    if (table === undefined || fields === undefined) {
      plan.left.push(
        `${path}: there is no table ${name} whose fields are written in defineTable({ ... })`,
      );
    } else edits.push(...editTable(ts, plan, path, name, wanted, table, fields));
  }
  if (property(ts, tables, "generationEvents") === undefined) {
    edits.push(addText(tables, EVENTS));
  }
  plan.set(path, edited(text, edits));
}

function editTable(
  ts: ProjectFolder["ts"],
  plan: Plan,
  path: string,
  name: string,
  wanted: Table,
  table: ts.Node,
  fields: ts.ObjectLiteralExpression,
): Edit[] {
  const edits: Edit[] = [];
  for (const field of wanted.needed) {
    if (property(ts, fields, field) !== undefined) continue;
    plan.left.push(`${path}: ${name} has no ${field}, which the functions in polaris/ need`);
  }
  const missing = Object.entries(wanted.fields).filter(
    ([field]) => property(ts, fields, field) === undefined,
  );
  if (missing.length > 0) edits.push(addProperties(fields, missing));
  for (const [field, literals] of Object.entries(wanted.literals)) {
    const value = property(ts, fields, field);
    if (value !== undefined)
      edits.push(...addLiterals(ts, value, literals, plan, `${path}: ${name}.${field}`));
  }
  const source = table.getText();
  const calls = Object.entries(wanted.indexes)
    .filter(([index]) => !source.includes(`"${index}"`) && !source.includes(`'${index}'`))
    .map(
      ([index, on]) => `\n    .index("${index}", [${on.map((field) => `"${field}"`).join(", ")}])`,
    );
  if (calls.length > 0)
    edits.push({ start: table.getEnd(), end: table.getEnd(), text: calls.join("") });
  return edits;
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

function addLiterals(
  ts: ProjectFolder["ts"],
  field: ts.Node,
  literals: readonly string[],
  plan: Plan,
  where: string,
): Edit[] {
  const source = field.getText().replaceAll("'", '"');
  const missing = literals.filter((name) => !source.includes(`v.literal("${name}")`));
  if (missing.length === 0) return [];
  let union: ts.CallExpression | undefined;
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText() === "v.union") union ??= node;
    ts.forEachChild(node, visit);
  };
  visit(field);
  const last = union?.arguments.at(-1);
  if (last === undefined) {
    plan.left.push(`${where} is no v.union of literals; it lacks ${missing.join(", ")}`);
    return [];
  }
  const text = missing.map((name) => `, v.literal("${name}")`).join("");
  return [{ start: last.getEnd(), end: last.getEnd(), text }];
}
