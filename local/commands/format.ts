// How commands show things: the table of services, one line per tool call.

import type { TableRow } from "../stack/index.ts";

/** The table that `npm start` begins with. */
export function formatTable(rows: readonly TableRow[]): string {
  const cells = rows.map((row) => [row.service, kindOf(row), row.url]);
  const head = ["Service", "Real or stand-in", "URL"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [line(head), rule, ...cells.map(line)].join("\n");
}

function kindOf({ real, variable }: TableRow): string {
  if (!real) return `stand-in (real with ${variable})`;
  return variable === "" ? "" : `real (${variable})`;
}

const MAX_VALUE_CHARS = 40;

/** A tool call in one line: its name and what it was called with, shortly. */
export function toolLine(name: string, args: unknown): string {
  const given = typeof args === "object" && args !== null ? args : {};
  // Objects come out of the store with sorted keys; which file it is about comes first.
  const entries = Object.entries(given).sort(
    ([a], [b]) => Number(b === "path") - Number(a === "path"),
  );
  const fields = entries.map(([key, value]: [string, unknown]) => {
    if (key === "path" && typeof value === "string") return value;
    const text = typeof value === "string" ? value : JSON.stringify(value);
    if (text.length > MAX_VALUE_CHARS) return `${key}: ${text.length} characters`;
    return `${key}: ${JSON.stringify(value)}`;
  });
  return `${name}(${fields.join(", ")})`;
}
