// What `init` changes in the routes: events become calls of the door.

import { posix } from "node:path";
import type * as ts from "typescript";
import { type Findings, property, type Send } from "./inngest.ts";
import { edited, type Plan } from "./plan.ts";
import type { ProjectFolder } from "./project.ts";
import { DOOR } from "./tasks.ts";

/** Events, the function of the door that takes their place, and what it is given. */
const REPLACED: Readonly<Record<string, { call: string; fields: readonly string[] }>> = {
  "message/sent": { call: "startMessage", fields: ["messageId"] },
  "message/cancel": { call: "cancelMessage", fields: ["messageId"] },
  "project/generate": { call: "startGeneration", fields: ["projectId", "description"] },
};

/** The call that takes an event's place; undefined: it has no task of this package. */
function callOf(
  ts: ProjectFolder["ts"],
  { name, data }: Send,
): { call: string; text: string } | undefined {
  const known = REPLACED[name ?? ""];
  if (known === undefined || data === undefined) return undefined;
  const values = known.fields.map((field) => property(ts, data, field)?.getText());
  if (values.some((value) => value === undefined)) return undefined;
  const text =
    known.fields.length === 1
      ? values[0]
      : `{ ${known.fields.map((field, index) => (values[index] === field ? field : `${field}: ${values[index]}`)).join(", ")} }`;
  return { call: known.call, text: `${known.call}(${text})` };
}

/** Whether an event has no task of this package: then Inngest has to stay. */
export function staysEvent(ts: ProjectFolder["ts"], send: Send): boolean {
  return callOf(ts, send) === undefined;
}

export function editRoutes(project: ProjectFolder, plan: Plan, found: Findings): void {
  const { ts, source } = project;
  for (const file of new Set(found.sends.map((send) => send.file))) {
    const text = plan.get(file) ?? "";
    const calls = found.sends
      .filter((send) => send.file === file)
      .map((send) => ({ send, call: callOf(ts, send) }));
    for (const { send } of calls.filter(({ call }) => call === undefined)) {
      plan.left.push(
        `${file}: sends ${send.name ?? "an event"}, which has no task of this package`,
      );
    }
    const known = calls.filter(({ call }) => call !== undefined);
    if (known.length === 0) continue;
    const used = [...new Set(known.map(({ call }) => call?.call ?? ""))].sort();
    let path = posix.relative(posix.dirname(file), `${source}${DOOR}`).replace(/\.ts$/, "");
    if (!path.startsWith(".")) path = `./${path}`;
    const changed = edited(
      text,
      known.map(({ send: { start, end }, call }) => ({ start, end, text: call?.text ?? "" })),
    );
    const line = `import { ${used.join(", ")} } from "${path}";`;
    plan.set(file, withImport(ts, changed, file, line, found));
  }
}

/** Adds our import, and drops that of the client where nothing uses it any more. */
function withImport(
  ts: ProjectFolder["ts"],
  text: string,
  file: string,
  line: string,
  found: Findings,
): string {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const imports = tree.statements.filter(ts.isImportDeclaration);
  // Words in comments do not use anything.
  const used = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isIdentifier(node)) used.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  const unused = imports.filter((each) => {
    const names = each.importClause?.namedBindings;
    if (names === undefined || !ts.isNamedImports(names)) return false;
    const id = (each.moduleSpecifier as ts.StringLiteral).text;
    const isClient = found.clients.some((client) =>
      client
        .replace(/(\/index)?\.\w+$/, "")
        .endsWith(id.replace(/^[@.~/]+/, "").replace(/\.\w+$/, "")),
    );
    return isClient && names.elements.every(({ name }) => !used.has(name.text));
  });
  const at = imports.at(-1)?.getEnd() ?? 0;
  return edited(text, [
    ...unused.map((each) => ({ start: each.getStart(), end: each.getEnd() + 1, text: "" })),
    { start: at, end: at, text: `${at === 0 ? "" : "\n"}${line}` },
  ]);
}
