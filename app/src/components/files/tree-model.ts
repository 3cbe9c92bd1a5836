// The file tree as the rows that are visible. Pure; a project may have ten thousand of them.

export interface Entry {
  id: string;
  parentId: string | undefined;
  name: string;
  type: "file" | "folder";
}

/** Of a folder, or of the project itself (`ROOT`). Absent: not loaded yet. */
export type Contents = ReadonlyMap<string, readonly Entry[]>;

/** Stands for the project itself, where a folder's id is asked for. */
export const ROOT = "";

export interface Row {
  entry: Entry;
  /** From 1. */
  level: number;
  /** From 1. */
  position: number;
  siblings: number;
  expanded: boolean;
  /** An expanded folder whose contents are on the way. */
  loading: boolean;
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Folders first, then by name as people count: `2` before `10`. */
export function sorted(entries: readonly Entry[]): Entry[] {
  return entries.toSorted(
    (a, b) =>
      Number(b.type === "folder") - Number(a.type === "folder") ||
      collator.compare(a.name, b.name) ||
      (a.name < b.name ? -1 : 1),
  );
}

/** `contents` are sorted. */
export function visibleRows(contents: Contents, expanded: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  const visit = (folder: string, level: number): void => {
    const entries = contents.get(folder) ?? [];
    for (const [index, entry] of entries.entries()) {
      const isOpen = entry.type === "folder" && expanded.has(entry.id);
      rows.push({
        entry,
        level,
        position: index + 1,
        siblings: entries.length,
        expanded: isOpen,
        loading: isOpen && !contents.has(entry.id),
      });
      if (isOpen) visit(entry.id, level + 1);
    }
  };
  visit(ROOT, 1);
  return rows;
}

export type Move =
  | { kind: "focus"; index: number }
  | { kind: "expand" | "collapse" | "open"; id: string }
  | undefined;

/** What a key does on the tree, by the pattern of the ARIA practices (w3.org/WAI/ARIA/apg, tree view). */
export function moveOf(key: string, rows: readonly Row[], active: number): Move {
  const row = rows[active];
  const focus = (index: number): Move =>
    rows.length === 0
      ? undefined
      : { kind: "focus", index: Math.min(Math.max(index, 0), rows.length - 1) };
  switch (key) {
    case "ArrowDown":
      return focus(active + 1);
    case "ArrowUp":
      return focus(active - 1);
    case "Home":
      return focus(0);
    case "End":
      return focus(rows.length - 1);
    case "PageDown":
      return focus(active + 10);
    case "PageUp":
      return focus(active - 10);
    case "ArrowRight":
      if (row?.entry.type !== "folder") return undefined;
      return row.expanded ? focus(active + 1) : { kind: "expand", id: row.entry.id };
    case "ArrowLeft":
      if (row?.expanded === true) return { kind: "collapse", id: row.entry.id };
      return row === undefined || row.level === 1 ? undefined : focus(parentOf(rows, active));
    case "Enter":
    case " ":
      if (row === undefined) return undefined;
      if (row.entry.type === "file") return { kind: "open", id: row.entry.id };
      return { kind: row.expanded ? "collapse" : "expand", id: row.entry.id };
    default:
      return undefined;
  }
}

function parentOf(rows: readonly Row[], index: number): number {
  const level = rows[index]?.level ?? 1;
  for (let at = index - 1; at >= 0; at--) {
    if ((rows[at]?.level ?? 1) < level) return at;
  }
  return index;
}

/** The next row, after the active one and around, whose name begins so. */
export function typedAhead(
  rows: readonly Row[],
  active: number,
  typed: string,
): number | undefined {
  const wanted = typed.toLowerCase();
  // A single letter goes on to the next one; more letters may mean the same row.
  const first = typed.length === 1 ? 1 : 0;
  for (let step = first; step <= rows.length; step++) {
    const index = (active + step) % rows.length;
    if (rows[index]?.entry.name.toLowerCase().startsWith(wanted)) return index;
  }
  return undefined;
}
