// A project's files, as its owner sees and edits them in the tree and the editor.
import { paginationOptsValidator, paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { documentOf, fileFields, fileType } from "./model/fields";
import { ownerMutation, ownerQuery, ownFile, ownProject } from "./model/owner";
import * as tree from "./model/tree";

const file = documentOf("files", fileFields);

/** With the address that the bytes of a binary file are at; null: they are gone. */
const fileWithUrl = v.object({ ...file.fields, url: v.optional(v.union(v.string(), v.null())) });

/** A row as the tree shows it: without the content. */
const entry = v.object({
  _id: v.id("files"),
  name: v.string(),
  type: fileType,
  updatedAt: v.number(),
});

/** All rows with their contents, in pages. */
export const getFiles = ownerQuery({
  args: { projectId: v.string(), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(fileWithUrl),
  handler: async (ctx, { projectId, paginationOpts }) => {
    const project = await ownProject(ctx, projectId);
    const { page, ...rest } = await tree.page(ctx, project._id, paginationOpts);
    return { ...rest, page: await Promise.all(page.map((row) => tree.withUrl(ctx, row))) };
  },
});

export const getFile = ownerQuery({
  args: { id: v.string() },
  returns: fileWithUrl,
  handler: async (ctx, { id }) => await tree.withUrl(ctx, await ownFile(ctx, id)),
});

/** From the root to the file. */
export const getFilePath = ownerQuery({
  args: { id: v.string() },
  returns: v.array(v.object({ _id: v.id("files"), name: v.string() })),
  handler: async (ctx, { id }) => await tree.pathOf(ctx, await ownFile(ctx, id)),
});

/** One level, folders first, then by name. */
export const getFolderContents = ownerQuery({
  args: { projectId: v.string(), parentId: v.optional(v.string()) },
  returns: v.array(entry),
  handler: async (ctx, { projectId, parentId }) => {
    const project = await ownProject(ctx, projectId);
    return await tree.level(ctx, project._id, await tree.folderOf(ctx, project._id, parentId));
  },
});

export const createFile = ownerMutation({
  args: {
    projectId: v.string(),
    parentId: v.optional(v.string()),
    name: v.string(),
    content: v.string(),
  },
  returns: v.null(),
  handler: async (ctx, { projectId, parentId, name, content }) => {
    const project = await ownProject(ctx, projectId);
    await tree.create(ctx, project._id, parentId, { type: "file", name, content });
    return null;
  },
});

export const createFolder = ownerMutation({
  args: { projectId: v.string(), parentId: v.optional(v.string()), name: v.string() },
  returns: v.null(),
  handler: async (ctx, { projectId, parentId, name }) => {
    const project = await ownProject(ctx, projectId);
    await tree.create(ctx, project._id, parentId, { type: "folder", name });
    return null;
  },
});

export const renameFile = ownerMutation({
  args: { id: v.string(), newName: v.string() },
  returns: v.null(),
  handler: async (ctx, { id, newName }) => {
    await tree.rename(ctx, await ownFile(ctx, id), newName);
    return null;
  },
});

/** With everything below it. */
export const deleteFile = ownerMutation({
  args: { id: v.string() },
  returns: v.null(),
  handler: async (ctx, { id }) => {
    await tree.remove(ctx, await ownFile(ctx, id));
    return null;
  },
});

/** A person's save always takes effect, whatever a job wrote meanwhile. */
export const updateFile = ownerMutation({
  args: { id: v.string(), content: v.string() },
  returns: v.null(),
  handler: async (ctx, { id, content }) => {
    await tree.save(ctx, await ownFile(ctx, id), content);
    return null;
  },
});
