// The functions that servers call: the task's core, the routes, the commands. All are public in
// Convex's sense and guarded by `internalKey` instead; all errors carry a code. This file says what
// each takes and returns; what each does stands in `model/`.
import { v } from "convex/values";
import {
  changeLine,
  changeOutcome,
  conversationFields,
  documentOf,
  eventType,
  exportStatus,
  fileChange,
  fileType,
  finalStatus,
  finishedTurn,
  generationStatus,
  importStatus,
  messageFields,
  messageRole,
  messageStatus,
  projectFields,
  runGuard,
  stagedChange,
  storedToolCall,
  turnChange,
} from "./model/fields";
import { applyChanges } from "./model/fileChanges";
import * as files from "./model/files";
import * as generation from "./model/generation";
import { findConversation, findMessage, requireProject } from "./model/lookup";
import * as messages from "./model/messages";
import * as projectFiles from "./model/projectFiles";
import * as projects from "./model/projects";
import * as sending from "./model/sending";
import { serverMutation, serverQuery } from "./model/server";
import { beginGeneration as begin } from "./model/silence";

const message = documentOf("messages", messageFields);
const conversation = documentOf("conversations", conversationFields);

/**
 * `applied: false`: nothing was changed, because the status is final or (`superseded`) a newer
 * attempt of the run works on the message.
 */
const writeFields = {
  status: messageStatus,
  applied: v.boolean(),
  superseded: v.optional(v.boolean()),
};
const writeResult = v.object(writeFields);

/** The number of a run's write; a repeated number changes nothing, an older attempt's is refused. */
const seq = v.optional(v.number());

// ---- projects and conversations ----

export const createProject = serverMutation({
  args: { name: v.string(), ownerId: v.string() },
  returns: v.id("projects"),
  handler: projects.createProject,
});

export const createConversation = serverMutation({
  args: { projectId: v.string(), title: v.string() },
  returns: v.id("conversations"),
  handler: projects.createConversation,
});

export const getConversationById = serverQuery({
  args: { conversationId: v.string() },
  returns: v.union(conversation, v.null()),
  handler: async (ctx, args) => await findConversation(ctx, args.conversationId),
});

export const updateProjectImportStatus = serverMutation({
  args: { projectId: v.string(), status: importStatus },
  returns: v.null(),
  handler: async (ctx, args) => {
    await projects.setImportStatus(ctx, args);
    return null;
  },
});

export const updateProjectExportStatus = serverMutation({
  args: { projectId: v.string(), status: exportStatus, repoUrl: v.optional(v.string()) },
  returns: v.null(),
  handler: async (ctx, args) => {
    await projects.setExportStatus(ctx, args);
    return null;
  },
});

/** The owner's project, or null: missing and foreign alike. */
export const getOwnedProject = serverQuery({
  args: { projectId: v.string(), ownerId: v.string() },
  returns: v.union(documentOf("projects", projectFields), v.null()),
  handler: async (ctx, { projectId, ownerId }) => {
    const id = ctx.db.normalizeId("projects", projectId);
    const project = id === null ? null : await ctx.db.get(id);
    return project?.ownerId === ownerId ? project : null;
  },
});

// ---- messages ----

/**
 * Stores what a person says and an empty answer to it, unless an answer of the project is under way:
 * one transaction, so that of two at once one is refused. With `ownerId`, a foreign conversation
 * counts as missing. With `retryOf` instead of `message`, the conversation's last answer, which
 * failed, is asked for once more.
 */
export const startMessage = serverMutation({
  args: {
    conversationId: v.optional(v.string()),
    message: v.optional(v.string()),
    retryOf: v.optional(v.string()),
    ownerId: v.optional(v.string()),
  },
  returns: v.object({
    state: v.union(v.literal("started"), v.literal("busy")),
    messageId: v.id("messages"),
    projectId: v.id("projects"),
  }),
  handler: sending.startMessage,
});

/** The message of the owner's project, or null: missing and foreign alike. */
export const getOwnedMessage = serverQuery({
  args: { messageId: v.string(), ownerId: v.string() },
  returns: v.union(message, v.null()),
  handler: async (ctx, { messageId, ownerId }) => {
    const found = await findMessage(ctx, messageId);
    const project = found === null ? null : await ctx.db.get(found.projectId);
    return project?.ownerId === ownerId ? found : null;
  },
});

export const createMessage = serverMutation({
  args: {
    conversationId: v.string(),
    projectId: v.string(),
    role: messageRole,
    content: v.string(),
    status: v.optional(
      v.union(v.literal("processing"), v.literal("completed"), v.literal("cancelled")),
    ),
  },
  returns: v.id("messages"),
  handler: messages.createMessage,
});

export const getMessageById = serverQuery({
  args: { messageId: v.string() },
  returns: v.union(message, v.null()),
  handler: async (ctx, args) => await findMessage(ctx, args.messageId),
});

export const getProcessingMessages = serverQuery({
  args: { projectId: v.string() },
  returns: v.array(message),
  handler: async (ctx, args) => await projects.processingMessages(ctx, args.projectId),
});

export const beginMessage = serverMutation({
  args: {
    messageId: v.string(),
    runId: v.optional(v.string()),
    attempt: v.number(),
    resume: v.optional(v.boolean()),
    /** Names the worker that begins: its call may come again, or late. */
    worker: v.optional(v.string()),
  },
  returns: v.object({
    state: v.union(v.literal("run"), v.literal("final"), v.literal("superseded")),
    status: messageStatus,
    projectId: v.id("projects"),
    conversationId: v.id("conversations"),
    /** With `resume`: what earlier attempts have finished, and where this one's numbers begin. */
    content: v.optional(v.string()),
    toolCalls: v.optional(v.array(storedToolCall)),
    seq,
    turns: v.optional(v.array(finishedTurn)),
  }),
  handler: messages.beginMessage,
});

export const getMessageContext = serverQuery({
  args: { messageId: v.string() },
  returns: v.object({
    projectId: v.id("projects"),
    conversationId: v.id("conversations"),
    messages: v.array(
      v.object({
        role: messageRole,
        content: v.string(),
        toolCalls: v.optional(v.array(storedToolCall)),
      }),
    ),
  }),
  handler: async (ctx, args) => await messages.messageContext(ctx, args.messageId),
});

export const streamMessageContent = serverMutation({
  args: { messageId: v.string(), content: v.string(), isComplete: v.optional(v.boolean()), seq },
  returns: writeResult,
  handler: messages.streamContent,
});

export const appendMessageContent = serverMutation({
  args: {
    messageId: v.string(),
    /** UTF-16 units: where the stored text ends. */
    offset: v.number(),
    text: v.string(),
    status: v.optional(finalStatus),
    seq,
  },
  returns: v.object({ ...writeFields, length: v.optional(v.number()) }),
  handler: messages.appendContent,
});

export const updateMessageContent = serverMutation({
  args: {
    messageId: v.string(),
    content: v.string(),
    status: v.optional(finalStatus),
    /** Why a failed message failed; kept for the page, apart from the partial text. */
    error: v.optional(v.object({ code: v.string(), message: v.string() })),
    seq,
  },
  returns: writeResult,
  handler: async (ctx, args) =>
    await messages.finishMessage(ctx, { ...args, status: args.status ?? "completed" }),
});

export const cancelMessage = serverMutation({
  args: { messageId: v.string(), content: v.optional(v.string()), seq },
  returns: writeResult,
  handler: messages.cancelMessage,
});

export const renewLease = serverMutation({
  args: { messageId: v.string(), seq },
  returns: writeResult,
  handler: messages.renewLease,
});

export const updateMessageTriggerRunId = serverMutation({
  args: { messageId: v.string(), triggerRunId: v.string() },
  returns: writeResult,
  handler: messages.setTriggerRunId,
});

// ---- tool calls of a message ----

export const saveToolCalls = serverMutation({
  args: {
    messageId: v.string(),
    toolCalls: v.array(storedToolCall),
    content: v.optional(v.string()),
    turn: v.optional(finishedTurn),
    /** What the calls change of the project, made together with this write or not at all. */
    changes: v.optional(v.array(turnChange)),
    seq,
  },
  /** `changes`: in the order of the changes, unless nothing was applied. */
  returns: v.object({ ...writeFields, changes: v.optional(v.array(changeOutcome)) }),
  handler: messages.saveToolCalls,
});

export const appendToolCall = serverMutation({
  args: {
    messageId: v.string(),
    toolCall: v.object({ id: v.string(), name: v.string(), args: v.any() }),
  },
  returns: writeResult,
  handler: async (ctx, args) =>
    await messages.saveToolCalls(ctx, { messageId: args.messageId, toolCalls: [args.toolCall] }),
});

export const appendToolResult = serverMutation({
  args: { messageId: v.string(), toolCallId: v.string(), result: v.any() },
  returns: writeResult,
  handler: messages.setToolResult,
});

// ---- generation log ----

/** The first line of a generation's log; the project is looked at again when its log falls silent. */
export const beginGeneration = serverMutation({
  args: {
    projectId: v.string(),
    /** Epoch milliseconds; the same call again changes nothing. */
    createdAt: v.number(),
  },
  returns: v.null(),
  handler: async (ctx, args) => {
    await begin(ctx, args);
    return null;
  },
});

export const appendGenerationEvent = serverMutation({
  args: {
    projectId: v.string(),
    type: eventType,
    message: v.string(),
    filePath: v.optional(v.string()),
    preview: v.optional(v.string()),
    /** Epoch milliseconds; with it, a repeated call adds no second row. */
    createdAt: v.optional(v.number()),
    guard: v.optional(runGuard),
  },
  returns: v.null(),
  handler: async (ctx, { guard, ...args }) => {
    await messages.requireLiveRun(ctx, guard);
    await projects.appendGenerationEvent(ctx, args);
    return null;
  },
});

/** What the generation was asked to be, how it stands, and its run once that is known. */
export const getGeneration = serverQuery({
  args: { projectId: v.string() },
  returns: v.object({
    status: generationStatus,
    generationId: v.optional(v.string()),
    plan: v.optional(v.string()),
    description: v.optional(v.string()),
    runId: v.optional(v.string()),
    /** When the log's last line was written. */
    updatedAt: v.optional(v.number()),
  }),
  handler: async (ctx, args) =>
    await generation.stateOf(ctx, (await requireProject(ctx, args.projectId))._id),
});

/** Queues a project's generation once more; null: it began without one. */
export const queueGenerationAgain = serverMutation({
  args: { projectId: v.string() },
  returns: v.union(
    v.object({
      generationId: v.string(),
      plan: v.string(),
      description: v.string(),
      /** false: it is under way. */
      queued: v.boolean(),
    }),
    v.null(),
  ),
  handler: async (ctx, args) =>
    await generation.queueAgain(ctx, (await requireProject(ctx, args.projectId))._id),
});

export const recordGenerationRun = serverMutation({
  args: { projectId: v.string(), runId: v.string() },
  returns: v.object({ status: generationStatus }),
  handler: async (ctx, { projectId, runId }) =>
    await generation.recordRun(ctx, (await requireProject(ctx, projectId))._id, runId),
});

export const stopGeneration = serverMutation({
  args: { projectId: v.string() },
  returns: v.object({ status: generationStatus, runId: v.optional(v.string()) }),
  handler: async (ctx, args) =>
    await generation.stopGeneration(ctx, (await requireProject(ctx, args.projectId))._id),
});

/** For a generation that has no run which could say so itself. */
export const endGeneration = serverMutation({
  args: {
    projectId: v.string(),
    status: v.union(v.literal("failed"), v.literal("cancelled")),
    reason: v.optional(v.string()),
  },
  returns: v.object({ applied: v.boolean() }),
  handler: async (ctx, { projectId, ...end }) =>
    await generation.endGeneration(ctx, (await requireProject(ctx, projectId))._id, end),
});

// ---- files ----

export const readFileByPath = serverQuery({
  args: { projectId: v.string(), path: v.string() },
  returns: v.union(
    v.object({ kind: v.literal("file"), content: v.string(), updatedAt: v.number() }),
    v.object({ kind: v.literal("folder") }),
    v.object({ kind: v.literal("binary") }),
    v.null(),
  ),
  handler: files.readFile,
});

export const writeFileByPath = serverMutation({
  args: {
    projectId: v.string(),
    path: v.string(),
    content: v.string(),
    line: v.optional(changeLine),
    guard: v.optional(runGuard),
  },
  returns: fileChange,
  handler: async (ctx, args) => {
    await messages.requireLiveRun(ctx, args.guard);
    return await files.writeFile(ctx, args);
  },
});

export const deleteFileByPath = serverMutation({
  args: {
    projectId: v.string(),
    path: v.string(),
    line: v.optional(changeLine),
    guard: v.optional(runGuard),
  },
  returns: fileChange,
  handler: async (ctx, args) => {
    await messages.requireLiveRun(ctx, args.guard);
    return await files.deleteFile(ctx, args);
  },
});

/**
 * What one command changed, in one transaction: each file only if it still is as the command found
 * it (`base`: its `updatedAt`; null: there was none). Asked twice, it has the effect of once.
 */
export const applyFileChanges = serverMutation({
  args: {
    projectId: v.string(),
    changes: v.array(
      v.object({
        path: v.string(),
        base: v.union(v.number(), v.null()),
        /** Left out: the file is deleted. */
        content: v.optional(v.string()),
        line: v.optional(changeLine),
      }),
    ),
    guard: v.optional(runGuard),
  },
  returns: v.object({
    before: v.number(),
    updatedAt: v.number(),
    /** In the order of the changes. A conflict: somebody else's version is kept. */
    outcomes: v.array(
      v.object({
        outcome: v.union(v.literal("applied"), v.literal("conflict"), v.literal("refused")),
        reason: v.optional(v.string()),
      }),
    ),
  }),
  handler: async (ctx, { guard, ...args }) => {
    await messages.requireLiveRun(ctx, guard);
    return await applyChanges(ctx, args);
  },
});

/** All of these changes and their lines in the log, or none. */
export const commitFiles = serverMutation({
  args: { projectId: v.string(), changes: v.array(stagedChange) },
  returns: v.null(),
  handler: async (ctx, args) => {
    await files.commitFiles(ctx, args);
    return null;
  },
});

export const listFilesByPath = serverQuery({
  args: { projectId: v.string(), path: v.string() },
  returns: v.union(
    v.object({
      kind: v.literal("folder"),
      entries: v.array(v.object({ name: v.string(), type: fileType })),
    }),
    v.object({ kind: v.literal("file") }),
    v.null(),
  ),
  handler: files.listFiles,
});

export const getProjectStructure = serverQuery({
  args: { projectId: v.string() },
  returns: v.object({ files: v.array(v.string()), emptyFolders: v.array(v.string()) }),
  handler: async (ctx, args) => await files.projectStructure(ctx, args.projectId),
});

export const getAllProjectFiles = serverQuery({
  args: { projectId: v.string() },
  returns: v.array(
    v.object({
      path: v.string(),
      type: fileType,
      content: v.optional(v.string()),
      updatedAt: v.number(),
    }),
  ),
  handler: async (ctx, args) => await files.allFiles(ctx, args.projectId),
});

/**
 * A whole project, one page at a time, whatever its size: the rows of its tree, oldest first. Paths
 * come from walking `parentId`. Every change of a project's files changes its `updatedAt`.
 */
export const listProjectFilesPage = serverQuery({
  args: {
    projectId: v.string(),
    /** Where the page before ended; null for the first page. */
    cursor: v.union(v.string(), v.null()),
    /** Texts of rows that were changed before this time are left out. */
    since: v.optional(v.number()),
    /** No rows at all if the project's `updatedAt` is this. */
    unless: v.optional(v.number()),
  },
  returns: v.object({
    updatedAt: v.number(),
    rows: v.array(
      v.object({
        id: v.id("files"),
        parentId: v.optional(v.id("files")),
        name: v.string(),
        type: fileType,
        updatedAt: v.number(),
        content: v.optional(v.string()),
        binary: v.optional(v.boolean()),
      }),
    ),
    /** Null when this was the last page. */
    cursor: v.union(v.string(), v.null()),
  }),
  handler: projectFiles.page,
});
