"use client";
// A project as a .zip, made in the browser from what is stored: one folder with the project's name. Text
// comes with the rows, the bytes of binary files from their own addresses.

import type { ConvexReactClient } from "convex/react";
import { strToU8, zip } from "fflate";
import { api } from "../../convex/_generated/api.js";
import { ApiError } from "./errors.ts";

const PAGE_FILES = 200;
const FETCHES_AT_ONCE = 6;
/** Of one binary file. */
const FETCH_TIMEOUT_MS = 120_000;

interface StoredRow {
  id: string;
  parentId: string | undefined;
  name: string;
  type: "file" | "folder";
  content: string | undefined;
  /** Where the bytes of a binary file are. */
  url?: string | null | undefined;
}

/** What a path holds: a text, or where its bytes are (null: nowhere any more). */
type Content = string | { url: string | null };

export async function downloadZip(
  convex: ConvexReactClient,
  projectId: string,
  projectName: string,
): Promise<void> {
  const rows = await allRows(convex, projectId);
  const folder = folderName(projectName);
  const bytes = await zipped(rows, folder);
  save(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: "application/zip" }), `${folder}.zip`);
}

/** @throws {ApiError} that names the file whose bytes could not be fetched. */
export async function zipped(rows: readonly StoredRow[], folder: string): Promise<Uint8Array> {
  const entries: Record<string, Uint8Array> = {};
  const open = [...zipPaths(rows)];
  const fill = async (): Promise<void> => {
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [path, content] = next;
      entries[`${folder}/${path}`] =
        typeof content === "string" ? strToU8(content) : await bytesAt(content.url, path);
    }
  };
  await Promise.all(Array.from({ length: FETCHES_AT_ONCE }, fill));
  return await new Promise<Uint8Array>((settle, fail) => {
    zip(entries, { level: 6 }, (error, data) => (error === null ? settle(data) : fail(error)));
  });
}

/** A .zip without one of its files would be no download: the person is told which one it is. */
async function bytesAt(url: string | null, path: string): Promise<Uint8Array> {
  const response =
    url === null
      ? undefined
      : await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) }).catch(() => undefined);
  if (response?.ok !== true) throw new ApiError(0, `The file ${path} could not be fetched`);
  return new Uint8Array(await response.arrayBuffer());
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
    for (const { _id, parentId, name, type, content, url } of page.page) {
      rows.push({ id: _id, parentId, name, type, content, url });
    }
    if (page.isDone) return rows;
    cursor = page.continueCursor;
  }
}

/** Paths and contents; an empty folder is a path that ends with a slash. Pure. */
export function zipPaths(rows: readonly StoredRow[]): Map<string, Content> {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const parents = new Set(rows.map(({ parentId }) => parentId));
  const paths = new Map<string, Content>();
  for (const row of rows) {
    const path = pathOf(row, byId);
    if (path === undefined) continue;
    if (row.type === "file") paths.set(path, contentOf(row));
    else if (!parents.has(row.id)) paths.set(`${path}/`, "");
  }
  return paths;
}

function contentOf({ content, url }: StoredRow): Content {
  return content ?? (url === undefined ? "" : { url });
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
