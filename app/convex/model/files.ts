// A project's files by path. Rows form a tree by `parentId`; a path is resolved level by level.
// Every check comes before the first write, so that a refused write leaves no stray folders.
import { getDocumentSize, type Infer } from "convex/values";
import type { Doc, Id } from "../_generated/dataModel";
import type { MutationCtx, QueryCtx } from "../_generated/server";
import { coded, codeOf } from "./errors";
import type { changeLine, changeOutcome, stagedChange, turnChange } from "./fields";
import { requireProject } from "./lookup";
import type { Guard } from "./messages";
import { splitFilePath, splitPath } from "./paths";
import { appendGenerationEvent, findGenerationEvent, nextUpdate } from "./projects";
import { jobBegan, requireNotSavedSince } from "./saves";

type FileRow = Doc<"files">;

/** The size of one document, system fields included (docs.convex.dev/production/state/limits). */
const MAX_DOCUMENT_BYTES = 1024 * 1024;

export async function children(
  ctx: QueryCtx,
  projectId: Id<"projects">,
  parentId: Id<"files"> | undefined,
): Promise<FileRow[]> {
  return await ctx.db
    .query("files")
    .withIndex("by_project_parent", (q) => q.eq("projectId", projectId).eq("parentId", parentId))
    .collect();
}

/** Two rows of one name can exist (one file, one folder); `prefer` says which one is meant. */
function pick(rows: FileRow[], name: string, prefer: FileRow["type"]): FileRow | undefined {
  const named = rows.filter((row) => row.name === name);
  return named.find((row) => row.type === prefer) ?? named[0];
}

/** The row at a path, "root" for the project itself, or null. */
export async function resolve(
  ctx: QueryCtx,
  projectId: Id<"projects">,
  names: string[],
  prefer: FileRow["type"],
): Promise<FileRow | "root" | null> {
  let row: FileRow | "root" = "root";
  for (const [depth, name] of names.entries()) {
    if (row !== "root" && row.type === "file") return null;
    const level = await children(ctx, projectId, row === "root" ? undefined : row._id);
    const found = pick(level, name, depth === names.length - 1 ? prefer : "folder");
    if (found === undefined) return null;
    row = found;
  }
  return row;
}

export async function readFile(ctx: QueryCtx, args: { projectId: string; path: string }) {
  const names = splitPath(args.path);
  const project = await requireProject(ctx, args.projectId);
  const row = await resolve(ctx, project._id, names, "file");
  if (row === null) return null;
  if (row === "root" || row.type === "folder") return { kind: "folder" as const };
  if (row.content === undefined && row.storageId !== undefined) return { kind: "binary" as const };
  return { kind: "file" as const, content: row.content ?? "", updatedAt: row.updatedAt };
}

/** The project's `updatedAt` before and after a change: who knows the one then knows the other. */
export type Change = { before: number; updatedAt: number };

export async function touch(ctx: MutationCtx, project: Doc<"projects">): Promise<Change> {
  const updatedAt = nextUpdate(project);
  await ctx.db.patch(project._id, { updatedAt });
  return { before: project.updatedAt, updatedAt };
}

/** Who changes a file, and what the log says of it. */
interface Told {
  guard?: Guard | undefined;
  /** With it, the same change again changes nothing. */
  line?: Infer<typeof changeLine> | undefined;
}

/** Whether the log has told of this change, and so it has been made. */
async function isMade(
  ctx: QueryCtx,
  projectId: Id<"projects">,
  path: string,
  line: Told["line"],
): Promise<boolean> {
  if (line === undefined) return false;
  const { message, createdAt } = line;
  const found = await findGenerationEvent(ctx, { projectId, type: "file", message, createdAt });
  // Two workers' clocks may tell one time: another text is another change.
  return found !== undefined && found.filePath === path && found.preview === line.preview;
}

export async function tellChange(
  ctx: MutationCtx,
  projectId: Id<"projects">,
  filePath: string,
  line: Told["line"],
): Promise<void> {
  if (line === undefined) return;
  await appendGenerationEvent(ctx, { projectId, type: "file", filePath, ...line });
}

function unchanged({ updatedAt }: Doc<"projects">): Change {
  return { before: updatedAt, updatedAt };
}

/** Every check comes before the first write: a refusal leaves nothing half done. */
export async function writeFile(
  ctx: MutationCtx,
  args: { projectId: string; path: string; content: string } & Told,
): Promise<Change> {
  const { folders, name } = splitFilePath(args.path);
  const project = await requireProject(ctx, args.projectId);
  const path = [...folders, name].join("/");
  if (await isMade(ctx, project._id, path, args.line)) return unchanged(project);
  const { parentId, missing } = await findFolder(ctx, project._id, folders);
  const level = missing.length > 0 ? [] : await children(ctx, project._id, parentId);
  const target = pick(level, name, "file");
  if (target?.type === "folder") throw coded("IS_A_FOLDER", `${path} is a folder`);
  if (target !== undefined) {
    requireNotSavedSince(target, path, await jobBegan(ctx, project._id, args.guard));
  }
  requireFits({ projectId: project._id, name, content: args.content });

  const change = await touch(ctx, project);
  const now = change.updatedAt;
  if (target !== undefined) {
    if (target.storageId !== undefined) await ctx.storage.delete(target.storageId);
    await ctx.db.patch(target._id, { content: args.content, storageId: undefined, updatedAt: now });
  } else {
    const folder = await createFolders(ctx, project._id, parentId, missing, now);
    await ctx.db.insert("files", {
      projectId: project._id,
      ...(folder === undefined ? {} : { parentId: folder }),
      name,
      type: "file",
      content: args.content,
      updatedAt: now,
    });
  }
  await tellChange(ctx, project._id, path, args.line);
  return change;
}

/** The deepest existing folder on the way, and the names that are missing below it. */
export async function findFolder(ctx: QueryCtx, projectId: Id<"projects">, folders: string[]) {
  let parentId: Id<"files"> | undefined;
  for (const [depth, name] of folders.entries()) {
    const found = pick(await children(ctx, projectId, parentId), name, "folder");
    if (found === undefined) return { parentId, missing: folders.slice(depth) };
    if (found.type === "file") {
      const path = folders.slice(0, depth + 1).join("/");
      throw coded("PARENT_IS_A_FILE", `${path} is a file, so nothing can be written below it`);
    }
    parentId = found._id;
  }
  return { parentId, missing: [] };
}

export async function createFolders(
  ctx: MutationCtx,
  projectId: Id<"projects">,
  parentId: Id<"files"> | undefined,
  names: string[],
  now: number,
): Promise<Id<"files"> | undefined> {
  let parent = parentId;
  for (const name of names) {
    parent = await ctx.db.insert("files", {
      projectId,
      ...(parent === undefined ? {} : { parentId: parent }),
      name,
      type: "folder",
      updatedAt: now,
    });
  }
  return parent;
}

export function requireFits(file: { projectId: string; name: string; content: string }): void {
  const row = {
    ...file,
    // An id as long as the project's stands for the parent's.
    parentId: file.projectId,
    type: "file",
    updatedAt: 0,
  };
  const bytes = new TextEncoder().encode(file.content).length;
  const overhead = getDocumentSize(row) - bytes;
  if (bytes + overhead > MAX_DOCUMENT_BYTES) {
    throw coded(
      "FILE_TOO_LARGE",
      `The content has ${bytes} bytes, but a file may have at most ${MAX_DOCUMENT_BYTES - overhead}`,
    );
  }
}

/** As `writeFile`. */
export async function deleteFile(
  ctx: MutationCtx,
  args: { projectId: string; path: string } & Told,
): Promise<Change> {
  const names = splitPath(args.path);
  const project = await requireProject(ctx, args.projectId);
  const path = names.join("/");
  if (await isMade(ctx, project._id, path, args.line)) return unchanged(project);
  const row = await resolve(ctx, project._id, names, "file");
  if (row === null || row === "root") throw coded("FILE_NOT_FOUND", "File not found");
  await deleteTree(ctx, row, path, await jobBegan(ctx, project._id, args.guard));
  const change = await touch(ctx, project);
  await tellChange(ctx, project._id, path, args.line);
  return change;
}

/**
 * The changes of a run's turn, in their order. What the project does not allow is told and undoes none
 * of the others; that the project is gone, or any other error, ends them all.
 */
export async function applyTurnChanges(
  ctx: MutationCtx,
  changes: Infer<typeof turnChange>[],
  guard: Guard,
): Promise<Infer<typeof changeOutcome>[]> {
  const outcomes: Infer<typeof changeOutcome>[] = [];
  for (const { content, ...change } of changes) {
    const made =
      content === undefined
        ? deleteFile(ctx, { ...change, guard })
        : writeFile(ctx, { ...change, content, guard });
    outcomes.push(await made.catch(refusal));
  }
  return outcomes;
}

function refusal(error: unknown): { code: string; message: string } {
  const code = codeOf(error);
  if (code === undefined || code === "PROJECT_NOT_FOUND") throw error;
  const { message } = (error as { data: { message: string } }).data;
  return { code, message };
}

/**
 * In their order. What is to be deleted and is not there is gone already; what a person saved meanwhile
 * stays, and the log says so.
 */
export async function commitFiles(
  ctx: MutationCtx,
  args: { projectId: string; changes: Infer<typeof stagedChange>[] },
): Promise<void> {
  const { _id: projectId } = await requireProject(ctx, args.projectId);
  for (const { path, content, ...line } of args.changes) {
    if (content !== undefined) {
      const change = { projectId, path, content };
      // A refusal comes before the first write, so the others can go on.
      const kept = await writeFile(ctx, change).then(
        () => false,
        (error: unknown) => codeOf(error) === "CHANGED_BY_USER" || Promise.reject(error),
      );
      if (kept) {
        line.message = `Kept ${path}, which the user changed meanwhile`;
        delete line.preview;
      }
    } else if ((await readFile(ctx, { projectId, path })) !== null) {
      await deleteFile(ctx, { projectId, path });
    }
    await appendGenerationEvent(ctx, { projectId, type: "file", filePath: path, ...line });
  }
}

/** Deletes a row with everything below it, whatever the rows' types say; all of it or nothing. */
export async function deleteTree(
  ctx: MutationCtx,
  row: FileRow,
  path: string,
  began: number,
): Promise<void> {
  const tree = await treeOf(ctx, row, path);
  for (const [found, at] of tree) requireNotSavedSince(found, at, began);
  for (const [found] of tree) {
    await ctx.db.delete(found._id);
    if (found.storageId !== undefined) await ctx.storage.delete(found.storageId);
  }
}

/** A row and all below it, with their paths, each once: a damaged tree may have a cycle. */
async function treeOf(ctx: QueryCtx, row: FileRow, path: string): Promise<[FileRow, string][]> {
  const tree: [FileRow, string][] = [[row, path]];
  const known = new Set([row._id]);
  // Grows while it is walked.
  for (const [found, at] of tree) {
    for (const child of await children(ctx, row.projectId, found._id)) {
      if (known.has(child._id)) continue;
      known.add(child._id);
      tree.push([child, `${at}/${child.name}`]);
    }
  }
  return tree;
}

export async function listFiles(ctx: QueryCtx, args: { projectId: string; path: string }) {
  const names = splitPath(args.path);
  const project = await requireProject(ctx, args.projectId);
  const row = await resolve(ctx, project._id, names, "folder");
  if (row === null) return null;
  if (row !== "root" && row.type === "file") return { kind: "file" as const };
  const rows = await children(ctx, project._id, row === "root" ? undefined : row._id);
  return {
    kind: "folder" as const,
    entries: rows.map(({ name, type }) => ({ name, type })).sort(foldersFirst),
  };
}

type Entry = { name: string; type: FileRow["type"] };

export function foldersFirst(a: Entry, b: Entry): number {
  if (a.type !== b.type) return a.type === "folder" ? -1 : 1;
  return a.name.localeCompare(b.name) || (a.name < b.name ? -1 : 1);
}

/** All rows of a project with their paths; rows whose parent is gone are left out. */
async function rowsWithPaths(ctx: QueryCtx, projectId: string) {
  const project = await requireProject(ctx, projectId);
  const rows = await ctx.db
    .query("files")
    .withIndex("by_project", (q) => q.eq("projectId", project._id))
    .collect();
  const below = new Map<string | undefined, FileRow[]>();
  for (const row of rows) {
    const siblings = below.get(row.parentId);
    if (siblings === undefined) below.set(row.parentId, [row]);
    else siblings.push(row);
  }
  const found: { path: string; row: FileRow; isEmpty: boolean }[] = [];
  const visit = (parentId: Id<"files"> | undefined, prefix: string): void => {
    for (const row of below.get(parentId) ?? []) {
      const path = prefix + row.name;
      found.push({ path, row, isEmpty: !below.has(row._id) });
      visit(row._id, `${path}/`);
    }
  };
  visit(undefined, "");
  return found;
}

export async function projectStructure(ctx: QueryCtx, projectId: string) {
  const all = await rowsWithPaths(ctx, projectId);
  // The default sort order of strings is the one promised: by UTF-16 code units.
  return {
    files: all.flatMap(({ path, row }) => (row.type === "file" ? [path] : [])).sort(),
    emptyFolders: all
      .flatMap(({ path, row, isEmpty }) => (row.type === "folder" && isEmpty ? [path] : []))
      .sort(),
  };
}

export async function allFiles(ctx: QueryCtx, projectId: string) {
  const all = await rowsWithPaths(ctx, projectId);
  return all.map(({ path, row }) => ({
    path,
    type: row.type,
    ...(row.content === undefined ? {} : { content: row.content }),
    updatedAt: row.updatedAt,
  }));
}
