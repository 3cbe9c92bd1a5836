// Hooks, types and utilities: the generated product's data.

import type { Kind, Product } from "../product.ts";

export function hookFiles({ slug, main, checklist }: Product): [string, string][] {
  return [
    ["src/hooks/useStoredList.ts", STORED_LIST],
    [`src/hooks/use${main.plural}.ts`, listHook(slug, main)],
    ...(checklist === undefined
      ? []
      : [[`src/hooks/use${checklist.plural}.ts`, tickedHook(slug, checklist)] as [string, string]]),
  ];
}

export function typeFiles({ main, checklist }: Product): [string, string][] {
  const fields = (kind: Kind): string[] => kind.fields.map(({ name }) => `${name}: string`);
  return [
    [`src/types/${main.name}.ts`, types(main, fields(main))],
    ...(checklist === undefined
      ? []
      : [
          [
            `src/types/${checklist.name}.ts`,
            types(checklist, [...fields(checklist), "done: boolean"], ["done"]),
          ] as [string, string],
        ]),
  ];
}

/** The first is the one that the code refers to most. */
export function utilityFiles(): [string, string][] {
  return [
    ["src/utils/format.ts", FORMAT],
    ["src/utils/storage.ts", STORAGE],
    ["src/utils/id.ts", ID],
  ];
}

const STORED_LIST = `import { useCallback, useSyncExternalStore } from "react";
import { readList, subscribeToList, writeList } from "../utils/storage";

/** A list that is kept in the browser and shown the same everywhere. */
export function useStoredList<T>(key: string) {
  const subscribe = useCallback(
    (onChange: () => void) => subscribeToList(key, onChange),
    [key],
  );
  const read = useCallback(() => readList<T>(key), [key]);
  const items = useSyncExternalStore(subscribe, read);
  const change = useCallback(
    (next: (items: readonly T[]) => readonly T[]) => writeList(key, next(readList<T>(key))),
    [key],
  );
  return { items, change };
}
`;

function listHook(slug: string, { type, plural, name, names }: Kind): string {
  return `import { useCallback } from "react";
import type { ${type}, ${type}Input } from "../types/${name}";
import { newId } from "../utils/id";
import { useStoredList } from "./useStoredList";

const KEY = "${slug}/${names}";

/** All ${names}, the newest first, and what can be done with them. */
export function use${plural}() {
  const { items: ${names}, change } = useStoredList<${type}>(KEY);

  const add = useCallback(
    (input: ${type}Input): ${type} => {
      const ${name}: ${type} = { ...input, id: newId(), createdAt: new Date().toISOString() };
      change((items) => [${name}, ...items]);
      return ${name};
    },
    [change],
  );

  const remove = useCallback(
    (id: string) => change((items) => items.filter((item) => item.id !== id)),
    [change],
  );

  const find = useCallback((id: string) => ${names}.find((item) => item.id === id), [${names}]);

  return { ${names}, add, remove, find };
}
`;
}

function tickedHook(slug: string, { type, plural, name, names }: Kind): string {
  return `import { useCallback, useMemo } from "react";
import type { ${type}, ${type}Input } from "../types/${name}";
import { newId } from "../utils/id";
import { useStoredList } from "./useStoredList";

const KEY = "${slug}/${names}";

/** All ${names}, the newest first; \`open\` are those that are not done. */
export function use${plural}() {
  const { items: ${names}, change } = useStoredList<${type}>(KEY);
  const open = useMemo(() => ${names}.filter((item) => !item.done), [${names}]);

  const add = useCallback(
    (input: ${type}Input) => {
      const createdAt = new Date().toISOString();
      change((items) => [{ ...input, id: newId(), done: false, createdAt }, ...items]);
    },
    [change],
  );

  const toggle = useCallback(
    (id: string) =>
      change((items) =>
        items.map((item) => (item.id === id ? { ...item, done: !item.done } : item)),
      ),
    [change],
  );

  const remove = useCallback(
    (id: string) => change((items) => items.filter((item) => item.id !== id)),
    [change],
  );

  return { ${names}, open, add, toggle, remove };
}
`;
}

function types({ type }: Kind, fields: string[], given: string[] = []): string {
  const omitted = ["id", ...given, "createdAt"].map((name) => `"${name}"`).join(" | ");
  return `export interface ${type} {
  id: string;
${fields.map((field) => `  ${field};`).join("\n")}
  /** ISO 8601. */
  createdAt: string;
}

/** What a form asks for; the rest is given when it is saved. */
export type ${type}Input = Omit<${type}, ${omitted}>;
`;
}

const FORMAT = `const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export function formatDate(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : DATE.format(date);
}

export function countOf(count: number, one: string, many: string): string {
  return \`\${count} \${count === 1 ? one : many}\`;
}

/** The text of a form's field, without spaces around it. */
export function textOf(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
}
`;

const STORAGE = `const cache = new Map<string, readonly unknown[]>();
const listeners = new Map<string, Set<() => void>>();

/** The same list until it changes. */
export function readList<T>(key: string): readonly T[] {
  let items = cache.get(key);
  if (items === undefined) {
    items = parse(localStorage.getItem(key));
    cache.set(key, items);
  }
  return items as readonly T[];
}

export function writeList<T>(key: string, items: readonly T[]): void {
  cache.set(key, items);
  try {
    localStorage.setItem(key, JSON.stringify(items));
  } catch (error) {
    // Full, or switched off: the list lives until the page is closed.
    console.warn(\`\${key} could not be saved\`, error);
  }
  for (const listener of listeners.get(key) ?? []) listener();
}

export function subscribeToList(key: string, listener: () => void): () => void {
  const known = listeners.get(key) ?? new Set();
  listeners.set(key, known.add(listener));
  return () => known.delete(listener);
}

function parse(text: string | null): readonly unknown[] {
  if (text === null) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
`;

const ID = `/** An id that no other item has. */
export function newId(): string {
  return crypto.randomUUID();
}
`;
