// What jobs and routes do to messages. The one rule that everything here keeps: `completed`,
// `failed` and `cancelled` are final, so every writer asks `writable` first and changes nothing when
// the answer is no. The conversation's `updatedAt` moves at the start and the end of a message only:
// touching it per stream write would re-run every list of conversations ten times a second.
import { getConvexSize, type Infer } from "convex/values";
import type { Doc } from "../_generated/dataModel";
import type { MutationCtx, QueryCtx } from "../_generated/server";
import type { finalStatus, messageStatus, storedToolCall } from "./fields";
import { requireAssistantMessage, requireConversation } from "./lookup";

export type Status = Infer<typeof messageStatus>;
export type FinalStatus = Infer<typeof finalStatus>;
export type ToolCall = Infer<typeof storedToolCall>;

/** What a write to a message answers; `applied: false` means that nothing was changed. */
export type WriteResult = { status: Status; applied: boolean };

/** Stands in a message that was cancelled before it had any text. */
export const CANCELLED_TEXT = "Message was cancelled.";

/** The window of history that one run reads: newest messages first until one bound is reached. */
const HISTORY_MAX_MESSAGES = 500;
/** Half of what one Convex query may read (16 MiB, docs.convex.dev/production/state/limits). */
const HISTORY_MAX_READ_BYTES = 8 * 1024 * 1024;

/** An assistant message without a status is an old, finished one. */
export function statusOf(message: Doc<"messages">): Status {
  return message.status ?? "completed";
}

export function isFinal(status: Status): status is FinalStatus {
  return status !== "processing";
}

type Patch = Partial<Pick<Doc<"messages">, "content" | "status" | "toolCalls">>;

/**
 * The only way to change a message's text, tool calls or status. `change` is asked only while the
 * message is processing; it returns null when there is nothing to write.
 */
async function writeWhileProcessing(
  ctx: MutationCtx,
  messageId: string,
  change: (message: Doc<"messages">) => Patch | null,
): Promise<WriteResult> {
  const message = await requireAssistantMessage(ctx, messageId);
  const status = statusOf(message);
  if (isFinal(status)) return { status, applied: false };
  const patch = change(message);
  if (patch === null) return { status, applied: false };
  await ctx.db.patch(message._id, patch);
  const after = patch.status ?? status;
  if (isFinal(after)) await touchConversation(ctx, message);
  return { status: after, applied: true };
}

async function touchConversation(ctx: MutationCtx, message: Doc<"messages">): Promise<void> {
  const conversation = await ctx.db.get(message.conversationId);
  if (conversation !== null) await ctx.db.patch(conversation._id, { updatedAt: Date.now() });
}

export async function createMessage(
  ctx: MutationCtx,
  args: {
    conversationId: string;
    projectId: string;
    role: Doc<"messages">["role"];
    content: string;
    status?: Status | undefined;
  },
) {
  const conversation = await requireConversation(ctx, args.conversationId, args.projectId);
  const id = await ctx.db.insert("messages", {
    conversationId: conversation._id,
    projectId: conversation.projectId,
    role: args.role,
    content: args.content,
    ...(args.status === undefined ? {} : { status: args.status }),
  });
  await ctx.db.patch(conversation._id, { updatedAt: Date.now() });
  return id;
}

/** The first call of every attempt: says whether to run, and gives a retry a clean message. */
export async function beginMessage(
  ctx: MutationCtx,
  args: { messageId: string; runId?: string | undefined; attempt: number },
) {
  const message = await requireAssistantMessage(ctx, args.messageId);
  const status = statusOf(message);
  const where = { projectId: message.projectId, conversationId: message.conversationId };
  if (isFinal(status)) return { state: "final" as const, status, ...where };
  const patch: Partial<Doc<"messages">> = {};
  if (args.runId !== undefined && args.runId !== message.triggerRunId) {
    patch.triggerRunId = args.runId;
  }
  if (message.content !== "") patch.content = "";
  if ((message.toolCalls ?? []).length > 0) patch.toolCalls = [];
  if (Object.keys(patch).length > 0) await ctx.db.patch(message._id, patch);
  return { state: "run" as const, status, ...where };
}

/** The conversation before this message, oldest first, as the model should see it. */
export async function messageContext(ctx: QueryCtx, messageId: string) {
  const message = await requireAssistantMessage(ctx, messageId);
  const conversation = await requireConversation(ctx, message.conversationId);
  const newestFirst = ctx.db
    .query("messages")
    .withIndex("by_conversation", (q) =>
      q.eq("conversationId", conversation._id).lt("_creationTime", message._creationTime),
    )
    .order("desc");
  const history: {
    role: "user" | "assistant";
    content: string;
    toolCalls?: ToolCall[];
  }[] = [];
  let bytes = 0;
  for await (const earlier of newestFirst) {
    bytes += getConvexSize(earlier);
    if (bytes > HISTORY_MAX_READ_BYTES) break;
    if (belongsToHistory(earlier)) {
      const calls = earlier.toolCalls ?? [];
      history.push({
        role: earlier.role,
        content: earlier.content,
        ...(calls.length > 0 ? { toolCalls: calls } : {}),
      });
      if (history.length === HISTORY_MAX_MESSAGES) break;
    }
  }
  return {
    projectId: message.projectId,
    conversationId: message.conversationId,
    messages: history.reverse(),
  };
}

function belongsToHistory(message: Doc<"messages">): boolean {
  if (message.content === "") return false;
  if (message.status === "failed" || message.status === "processing") return false;
  return !(message.status === "cancelled" && message.content === CANCELLED_TEXT);
}

export async function streamContent(
  ctx: MutationCtx,
  args: { messageId: string; content: string; isComplete?: boolean | undefined },
): Promise<WriteResult> {
  return await writeWhileProcessing(ctx, args.messageId, () => ({
    content: args.content,
    ...(args.isComplete ? { status: "completed" as const } : {}),
  }));
}

export async function finishMessage(
  ctx: MutationCtx,
  args: { messageId: string; content: string; status: FinalStatus },
): Promise<WriteResult> {
  return await writeWhileProcessing(ctx, args.messageId, () => ({
    content: args.content,
    status: args.status,
  }));
}

/** Keeps the longer of the stored and the given partial text. */
export async function cancelMessage(
  ctx: MutationCtx,
  args: { messageId: string; content?: string | undefined },
): Promise<WriteResult> {
  return await writeWhileProcessing(ctx, args.messageId, (message) => {
    const given = args.content ?? "";
    const text = given.length > message.content.length ? given : message.content;
    return { status: "cancelled", content: text === "" ? CANCELLED_TEXT : text };
  });
}

/** The run id may be stored on a final message too: it changes nothing that a user sees. */
export async function setTriggerRunId(
  ctx: MutationCtx,
  args: { messageId: string; triggerRunId: string },
): Promise<WriteResult> {
  const message = await requireAssistantMessage(ctx, args.messageId);
  if (message.triggerRunId !== args.triggerRunId) {
    await ctx.db.patch(message._id, { triggerRunId: args.triggerRunId });
  }
  return { status: statusOf(message), applied: true };
}

/**
 * Adds calls or completes known ones (same id); the order of first sight stays. The text before the
 * calls may come along, so that a step boundary is one write.
 */
export async function saveToolCalls(
  ctx: MutationCtx,
  args: { messageId: string; toolCalls: ToolCall[]; content?: string | undefined },
): Promise<WriteResult> {
  return await writeWhileProcessing(ctx, args.messageId, (message) => ({
    toolCalls: mergeToolCalls(message.toolCalls ?? [], args.toolCalls),
    ...(args.content === undefined ? {} : { content: args.content }),
  }));
}

export function mergeToolCalls(stored: ToolCall[], given: ToolCall[]): ToolCall[] {
  const merged = new Map(stored.map((call) => [call.id, call]));
  for (const call of given) {
    const result = call.result === undefined ? merged.get(call.id)?.result : call.result;
    merged.set(call.id, {
      id: call.id,
      name: call.name,
      args: call.args,
      ...(result === undefined ? {} : { result }),
    });
  }
  return [...merged.values()];
}

/** A result for an unknown call changes nothing. */
export async function setToolResult(
  ctx: MutationCtx,
  args: { messageId: string; toolCallId: string; result: unknown },
): Promise<WriteResult> {
  return await writeWhileProcessing(ctx, args.messageId, (message) => {
    const calls = message.toolCalls ?? [];
    if (!calls.some((call) => call.id === args.toolCallId)) return null;
    return {
      toolCalls: calls.map((call) =>
        call.id === args.toolCallId ? { ...call, result: args.result } : call,
      ),
    };
  });
}
