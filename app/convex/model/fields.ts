// The fields of every table, and the validators of their documents as functions return them.
// The schema and the functions' return validators are both made from these, so that they cannot
// drift apart. No behaviour here.
import { type PropertyValidators, v } from "convex/values";

export const messageStatus = v.union(
  v.literal("processing"),
  v.literal("completed"),
  v.literal("cancelled"),
  v.literal("failed"),
);

export const finalStatus = v.union(
  v.literal("completed"),
  v.literal("cancelled"),
  v.literal("failed"),
);

export const messageRole = v.union(v.literal("user"), v.literal("assistant"));

export const importStatus = v.union(
  v.literal("importing"),
  v.literal("completed"),
  v.literal("failed"),
);

export const exportStatus = v.union(
  v.literal("exporting"),
  v.literal("completed"),
  v.literal("failed"),
  v.literal("cancelled"),
);

export const eventType = v.union(
  v.literal("step"),
  v.literal("file"),
  v.literal("info"),
  v.literal("error"),
);

export const generationStatus = v.union(
  v.literal("none"),
  v.literal("running"),
  v.literal("completed"),
  v.literal("failed"),
  v.literal("cancelled"),
);

export const fileType = v.union(v.literal("file"), v.literal("folder"));

/** One tool call as a message stores it; `result` is absent until the tool has answered. */
export const storedToolCall = v.object({
  id: v.string(),
  name: v.string(),
  args: v.any(),
  result: v.optional(v.any()),
});

/** A finished model turn of a run under way, as the core wants it back to go on behind it. */
export const finishedTurn = v.object({ step: v.number(), data: v.any() });

/** The run behind an effect on the project: its message, and the number its attempt began with. */
export const runGuard = v.object({ messageId: v.string(), seq: v.number() });

/**
 * What the project's log says of a change. With the change it is its receipt: what the log has told
 * already has been done, and is not done again.
 */
export const changeLine = v.object({
  message: v.string(),
  preview: v.optional(v.string()),
  /** Epoch milliseconds. */
  createdAt: v.number(),
});

/** What a call of a run's turn changes; without a content the path is deleted. */
export const turnChange = v.object({
  projectId: v.string(),
  path: v.string(),
  content: v.optional(v.string()),
  line: changeLine,
});

/** The project's `updatedAt` before and after a change. */
export const fileChange = v.object({ before: v.number(), updatedAt: v.number() });

/** What came of a change that was made beside others. */
export const changeOutcome = v.union(
  fileChange,
  v.object({ code: v.string(), message: v.string() }),
);

/** One change of several that are made together; without a content the path is deleted. */
export const stagedChange = v.object({
  path: v.string(),
  content: v.optional(v.string()),
  message: v.string(),
  preview: v.optional(v.string()),
  createdAt: v.number(),
});

export const userFields = {
  stackUserId: v.string(),
  clerkId: v.optional(v.string()),
  email: v.string(),
  autumnCustomerId: v.optional(v.string()),
  subscriptionStatus: v.optional(
    v.union(
      v.literal("free"),
      v.literal("trialing"),
      v.literal("active"),
      v.literal("paused"),
      v.literal("canceled"),
      v.literal("past_due"),
    ),
  ),
  subscriptionTier: v.optional(
    v.union(v.literal("free"), v.literal("pro_monthly"), v.literal("pro_yearly")),
  ),
  subscriptionPlanId: v.optional(v.string()),
  /** -1 = unlimited. */
  projectLimit: v.number(),
  trialEndsAt: v.optional(v.number()),
  createdAt: v.number(),
  updatedAt: v.number(),
};

export const projectFields = {
  name: v.string(),
  /** The auth subject of the owner. */
  ownerId: v.string(),
  userId: v.optional(v.id("users")),
  updatedAt: v.number(),
  importStatus: v.optional(importStatus),
  exportStatus: v.optional(exportStatus),
  exportRepoUrl: v.optional(v.string()),
};

export const fileFields = {
  projectId: v.id("projects"),
  parentId: v.optional(v.id("files")),
  name: v.string(),
  type: fileType,
  /** Text files only. */
  content: v.optional(v.string()),
  /** Binary files only. */
  storageId: v.optional(v.id("_storage")),
  updatedAt: v.number(),
};

export const conversationFields = {
  projectId: v.id("projects"),
  title: v.string(),
  updatedAt: v.number(),
};

export const messageFields = {
  conversationId: v.id("conversations"),
  projectId: v.id("projects"),
  role: messageRole,
  content: v.string(),
  status: v.optional(messageStatus),
  triggerRunId: v.optional(v.string()),
  toolCalls: v.optional(v.array(storedToolCall)),
};

export const generationEventFields = {
  projectId: v.id("projects"),
  type: eventType,
  message: v.string(),
  filePath: v.optional(v.string()),
  preview: v.optional(v.string()),
  createdAt: v.number(),
};

/** The validator of a whole document: the table's fields plus the system fields. */
export function documentOf<Table extends string, Fields extends PropertyValidators>(
  table: Table,
  fields: Fields,
) {
  return v.object({ ...fields, _id: v.id(table), _creationTime: v.number() });
}
