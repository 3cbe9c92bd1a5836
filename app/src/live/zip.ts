"use client";
// A project as a .zip, made in the browser from what is stored: one folder with the project's name.

import type { ConvexReactClient } from "convex/react";
import { strToU8, zip } from "fflate";
import { api } from "../../convex/_generated/api.js";

const PAGE_FILES = 200;

interface StoredRow {
  id: string;
  parentId: string | undefined;
  name: string;
  type: "file" | "folder";
  content: string | undefined;
}

export async function downloadZip(
  convex: ConvexReactClient,
  projectId: string,
  projectName: string,
): Promise<void> {
  const rows = await allRows(convex, projectId);
  const folder = folderName(projectName);
  const entries: Record<string, Uint8Array> = {};
  for (const [path, content] of zipPaths(rows)) entries[`${folder}/${path}`] = strToU8(content);
  const bytes = await new Promise<Uint8Array>((settle, fail) => {
    zip(entries, { level: 6 }, (error, data) => (error === null ? settle(data) : fail(error)));
  });
  save(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: "application/zip" }), `${folder}.zip`);
}

async function allRows(convex: ConvexReactClient, projectId: string): Promise<StoredRow[]> {
  const rows: StoredRow[] = [];
  let cursor: string | null = null;
  for (;;) {
    const paginationOpts: { numItems: number; cursor: string | null } = {
      numItems: PAGE_FILES,
      cursor,
    };
    const page = await convex.query(api.files.getFiles, { projectId, paginationOpts });
    for (const { _id, parentId, name, type, content } of page.page) {
      rows.push({ id: _id, parentId, name, type, content });
    }
    if (page.isDone) return rows;
    cursor = page.continueCursor;
  }
}

/** Paths and contents; an empty folder is a path that ends with a slash. Pure. */
export function zipPaths(rows: readonly StoredRow[]): Map<string, string> {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const parents = new Set(rows.map(({ parentId }) => parentId));
  const paths = new Map<string, string>();
  for (const row of rows) {
    const path = pathOf(row, byId);
    if (path === undefined) continue;
    if (row.type === "file") paths.set(path, row.content ?? "");
    else if (!parents.has(row.id)) paths.set(`${path}/`, "");
  }
  return paths;
}

/** Undefined: a parent is gone, or a name would lead out of the folder. */
function pathOf(row: StoredRow, byId: ReadonlyMap<string, StoredRow>): string | undefined {
  const names: string[] = [];
  const seen = new Set<string>();
  for (let at: StoredRow | undefined = row; ; ) {
    if (at === undefined || seen.has(at.id) || !isSafe(at.name)) return undefined;
    seen.add(at.id);
    names.push(at.name);
    if (at.parentId === undefined) return names.reverse().join("/");
    at = byId.get(at.parentId);
  }
}

function isSafe(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\\]/.test(name);
}

/** What every file system takes. Pure. */
export function folderName(projectName: string): string {
  const name = projectName
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "")
    .toLowerCase()
    .slice(0, 60);
  return name === "" ? "project" : name;
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
