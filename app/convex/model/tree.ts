// A project's files by id, for the tree and the editor of a person. By path, for jobs: `files.ts`.
// Names obey the same rules as paths do, so that what a person makes a job can reach.
import type { PaginationOptions } from "convex/server";
import { getConvexSize } from "convex/values";
import type { Doc, Id } from "../_generated/dataModel";
import type { MutationCtx, QueryCtx } from "../_generated/server";
import { coded } from "./errors";
import { foldersFirst, requireFits } from "./files";
import { splitPath } from "./paths";
import { nextUpdate } from "./projects";
import { removeTree } from "./removal";
import { isPersons, personsTime } from "./saves";

type FileRow = Doc<"files">;

/** Three quarters of what one query may read (16 MiB, docs.convex.dev/production/state/limits). */
const MAX_READ_BYTES = 12 * 1024 * 1024;
const PAGE_MAX_BYTES = 4 * 1024 * 1024;
/** Of most file systems. */
const MAX_NAME_BYTES = 255;
/** Deeper trees are damaged ones. */
const MAX_DEPTH = 512;

function siblings(ctx: QueryCtx, projectId: Id<"projects">, parentId: Id<"files"> | undefined) {
  return ctx.db
    .query("files")
    .withIndex("by_project_parent", (q) => q.eq("projectId", projectId).eq("parentId", parentId));
}

export async function page(ctx: QueryCtx, projectId: Id<"projects">, options: PaginationOptions) {
  return await ctx.db
    .query("files")
    .withIndex("by_project", (q) => q.eq("projectId", projectId))
    .paginate({ maximumBytesRead: PAGE_MAX_BYTES, ...options });
}

/** A binary file's bytes are fetched from their own address. */
export async function withUrl(ctx: QueryCtx, row: FileRow) {
  const { content, storageId } = row;
  if (content !== undefined || storageId === undefined) return row;
  return { ...row, url: await ctx.storage.getUrl(storageId) };
}

export async function level(
  ctx: QueryCtx,
  projectId: Id<"projects">,
  parentId: Id<"files"> | undefined,
) {
  const entries: Pick<FileRow, "_id" | "name" | "type" | "updatedAt">[] = [];
  let bytes = 0;
  for await (const row of siblings(ctx, projectId, parentId)) {
    bytes += getConvexSize(row);
    if (bytes > MAX_READ_BYTES) {
      throw coded("TOO_LARGE", "This folder is too large to be listed at once");
    }
    const { _id, name, type, updatedAt } = row;
    entries.push({ _id, name, type, updatedAt });
  }
  return entries.sort(foldersFirst);
}

/** The folder with this id; undefined: the root. */
export async function folderOf(
  ctx: QueryCtx,
  projectId: Id<"projects">,
  id: string | undefined,
): Promise<Id<"files"> | undefined> {
  if (id === undefined) return undefined;
  const folderId = ctx.db.normalizeId("files", id);
  const folder = folderId === null ? null : await ctx.db.get(folderId);
  if (folder?.projectId !== projectId) throw coded("FILE_NOT_FOUND", "File not found");
  if (folder.type === "file") {
    throw coded("PARENT_IS_A_FILE", `${folder.name} is a file, so nothing can be below it`);
  }
  return folder._id;
}

export async function pathOf(ctx: QueryCtx, file: FileRow) {
  const path = [{ _id: file._id, name: file.name }];
  let { parentId } = file;
  while (parentId !== undefined && path.length < MAX_DEPTH) {
    const parent: FileRow | null = await ctx.db.get(parentId);
    if (parent === null) break;
    path.push({ _id: parent._id, name: parent.name });
    parentId = parent.parentId;
  }
  return path.reverse();
}

function checkedName(name: string): string {
  const [first, ...others] = splitPath(name);
  if (first !== name || others.length > 0) {
    throw coded("INVALID_NAME", "A name is not empty, and has no slash");
  }
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
    throw coded("INVALID_NAME", `A name has at most ${MAX_NAME_BYTES} bytes`);
  }
  return name;
}

export async function create(
  ctx: MutationCtx,
  projectId: Id<"projects">,
  parentId: string | undefined,
  given: { type: "file"; name: string; content: string } | { type: "folder"; name: string },
): Promise<void> {
  const name = checkedName(given.name);
  const parent = await folderOf(ctx, projectId, parentId);
  const taken = await named(ctx, projectId, parent, name);
  if (taken !== null) {
    throw coded("FILE_EXISTS", `${taken.type === "file" ? "File" : "Folder"} already exists`);
  }
  const content = given.type === "file" ? { content: given.content } : {};
  if (given.type === "file") requireFits({ projectId, name, content: given.content });
  const updatedAt = personsTime(await projectOf(ctx, projectId));
  await ctx.db.insert("files", {
    projectId,
    ...(parent === undefined ? {} : { parentId: parent }),
    name,
    type: given.type,
    ...content,
    updatedAt,
  });
  await ctx.db.patch(projectId, { updatedAt });
}

async function projectOf(ctx: QueryCtx, id: Id<"projects">): Promise<Doc<"projects">> {
  const project = await ctx.db.get(id);
  if (project === null) throw coded("PROJECT_NOT_FOUND", "Project not found");
  return project;
}

async function named(
  ctx: QueryCtx,
  projectId: Id<"projects">,
  parentId: Id<"files"> | undefined,
  name: string,
): Promise<FileRow | null> {
  for await (const row of siblings(ctx, projectId, parentId)) {
    if (row.name === name) return row;
  }
  return null;
}

export async function rename(ctx: MutationCtx, file: FileRow, newName: string): Promise<void> {
  const name = checkedName(newName);
  if (name === file.name) return;
  const taken = await named(ctx, file.projectId, file.parentId, name);
  if (taken !== null) {
    throw coded("FILE_EXISTS", `A ${taken.type} with this name already exists in this location`);
  }
  if (file.content !== undefined) {
    requireFits({ projectId: file.projectId, name, content: file.content });
  }
  // The content stays whose it was.
  const project = await projectOf(ctx, file.projectId);
  const updatedAt = isPersons(file) ? personsTime(project) : nextUpdate(project);
  await ctx.db.patch(file._id, { name, updatedAt });
  await ctx.db.patch(file.projectId, { updatedAt });
}

export async function remove(ctx: MutationCtx, file: FileRow): Promise<void> {
  const updatedAt = nextUpdate(await projectOf(ctx, file.projectId));
  await removeTree(ctx, file);
  await ctx.db.patch(file.projectId, { updatedAt });
}

export async function save(ctx: MutationCtx, file: FileRow, content: string): Promise<void> {
  if (file.type === "folder") throw coded("IS_A_FOLDER", `${file.name} is a folder`);
  requireFits({ projectId: file.projectId, name: file.name, content });
  const updatedAt = personsTime(await projectOf(ctx, file.projectId));
  if (file.storageId !== undefined) await ctx.storage.delete(file.storageId);
  await ctx.db.patch(file._id, { content, storageId: undefined, updatedAt });
  await ctx.db.patch(file.projectId, { updatedAt });
}
