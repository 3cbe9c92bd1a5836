// What jobs and routes do to messages. The one rule that everything here keeps: `completed`,
// `failed` and `cancelled` are final, so every writer asks `writable` first and changes nothing when
// the answer is no. The conversation's `updatedAt` moves when a message begins: touching it per stream
// write would re-run every list of conversations ten times a second, and at the end each of them once
// more. (`streamMessageContent` with `isComplete`, which no run of ours calls, moves it as it always did.)
import { getConvexSize, type Infer } from "convex/values";
import { internal } from "../_generated/api";
import type { Doc, Id } from "../_generated/dataModel";
import type { MutationCtx, QueryCtx } from "../_generated/server";
import { coded } from "./errors";
import type {
  changeOutcome,
  finalStatus,
  messageStatus,
  runGuard,
  storedToolCall,
  turnChange,
} from "./fields";
import { applyTurnChanges } from "./files";
import { followOther, markNewest, touchConversation } from "./history";
import {
  begun,
  closed,
  epochOf,
  isJournal,
  journalOf,
  LEASE_MS,
  standing,
  type Turn,
  visibleCalls,
  withJournal,
  written,
} from "./journal";
import { requireAssistantMessage, requireConversation } from "./lookup";

export type Status = Infer<typeof messageStatus>;
export type FinalStatus = Infer<typeof finalStatus>;
export type ToolCall = Infer<typeof storedToolCall>;

/**
 * What a write to a message answers. `applied: false` means that nothing was changed: the status is
 * final, or (`superseded`) a newer attempt works on the message.
 */
export type WriteResult = { status: Status; applied: boolean; superseded?: boolean };

/** Names the run behind an effect on the project, by its message and the number it began with. */
export type Guard = Infer<typeof runGuard>;

/** Numbers a run's writes, so that a repeated one changes nothing and an older attempt's is refused. */
export type Sequenced = { seq?: number | undefined };

/** Stands in a message that was cancelled before it had any text. */
export const CANCELLED_TEXT = "Message was cancelled.";

/** The text of a message that has failed before there was any; the core writes the same. */
export const FAILURE_TEXT =
  "I'm sorry, an error occurred while I was processing your request. Please let me know what else you need.";

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

interface Change {
  content?: string;
  status?: FinalStatus;
  /** Replaces the calls; the journal is kept apart from them. */
  toolCalls?: ToolCall[];
  /** A model turn that this write finishes. */
  turn?: Turn;
  /** Why the message failed. */
  error?: { code: string; message: string };
}

/**
 * The only way to change a message's text, tool calls or status. `change` is asked only while the
 * message is processing and the write is not an older attempt's; it returns null when there is
 * nothing to write.
 */
async function writeWhileProcessing(
  ctx: MutationCtx,
  args: { messageId: string } & Sequenced,
  change: (message: Doc<"messages">) => Change | null,
): Promise<WriteResult> {
  const message = await requireAssistantMessage(ctx, args.messageId);
  const status = statusOf(message);
  if (isFinal(status)) return { status, applied: false };
  const journal = journalOf(message.toolCalls);
  const place = standing(journal, args.seq);
  if (place === "stale") return { status, applied: false, superseded: true };
  // The answer to this very write was lost: it took effect then.
  if (place === "repeated") return { status, applied: true };
  const wanted = change(message);
  if (wanted === null) return { status, applied: false };
  const after = wanted.status ?? status;
  const calls = wanted.toolCalls ?? message.toolCalls ?? [];
  const toolCalls = isFinal(after)
    ? closed(calls, wanted.error)
    : journal === undefined
      ? wanted.toolCalls
      : withJournal(calls, written(journal, args.seq, wanted.turn, Date.now()));
  await ctx.db.patch(message._id, {
    ...(wanted.content === undefined ? {} : { content: wanted.content }),
    ...(wanted.status === undefined ? {} : { status: wanted.status }),
    ...(toolCalls === undefined || (toolCalls.length === 0 && message.toolCalls === undefined)
      ? {}
      : { toolCalls }),
  });
  if (isFinal(after)) await followOther(ctx, message);
  return { status: after, applied: true };
}

/**
 * Refuses an effect of a run whose message is final, or that a newer attempt has taken over: a worker
 * that was frozen and wakes up changes nothing.
 */
export async function requireLiveRun(ctx: QueryCtx, guard: Guard | undefined): Promise<void> {
  if (guard === undefined) return;
  const message = await requireAssistantMessage(ctx, guard.messageId);
  const status = statusOf(message);
  if (isFinal(status)) throw coded("SUPERSEDED", `The message is ${status} already`);
  const journal = journalOf(message.toolCalls);
  if (journal !== undefined && epochOf(guard.seq) < epochOf(journal.seq)) {
    throw coded("SUPERSEDED", "A newer attempt works on the message");
  }
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
): Promise<Id<"messages">> {
  const conversation = await requireConversation(ctx, args.conversationId, args.projectId);
  // Of a project that was deleted, conversations go in batches.
  if ((await ctx.db.get(conversation.projectId)) === null) {
    throw coded("CONVERSATION_NOT_FOUND", "Conversation not found");
  }
  const id = await ctx.db.insert("messages", {
    conversationId: conversation._id,
    projectId: conversation.projectId,
    role: args.role,
    content: args.content,
    ...(args.status === undefined ? {} : { status: args.status }),
  });
  if (args.role === "assistant" && args.status === "processing") {
    await markNewest(ctx, id);
    await ctx.scheduler.runAfter(LEASE_MS, internal.leases.check, { messageId: id });
  } else {
    await touchConversation(ctx, conversation._id);
  }
  return id;
}

/** Ends a message whose run is dead; the partial text stays. */
export async function failMessage(
  ctx: MutationCtx,
  message: Doc<"messages">,
  error: { code: string; message: string },
): Promise<void> {
  await ctx.db.patch(message._id, {
    status: "failed",
    content: message.content === "" ? FAILURE_TEXT : message.content,
    toolCalls: closed(message.toolCalls ?? [], error),
  });
  await followOther(ctx, message);
}

/**
 * The first call of every attempt: says whether to run, and from where. With `resume`, what an
 * earlier attempt has finished stays, and the answer says what that is; without it, or where nothing
 * is finished, the message is clean again. The same call of the same `worker` again, or late, changes
 * nothing.
 */
export async function beginMessage(
  ctx: MutationCtx,
  args: {
    messageId: string;
    runId?: string | undefined;
    attempt: number;
    resume?: boolean | undefined;
    worker?: string | undefined;
  },
) {
  const message = await requireAssistantMessage(ctx, args.messageId);
  const status = statusOf(message);
  const where = { status, projectId: message.projectId, conversationId: message.conversationId };
  if (isFinal(status)) return { state: "final" as const, ...where };
  const known = journalOf(message.toolCalls);
  const sameRun = known !== undefined && known.runId === (args.runId ?? null);
  if (sameRun && args.attempt < known.attempt) return { state: "superseded" as const, ...where };
  const runId =
    args.runId !== undefined && args.runId !== message.triggerRunId
      ? { triggerRunId: args.runId }
      : {};
  if (!args.resume) {
    const calls = (message.toolCalls ?? []).length > 0 ? { toolCalls: [] } : {};
    const content = message.content === "" ? {} : { content: "" };
    const patch = { ...runId, ...calls, ...content };
    if (Object.keys(patch).length > 0) await ctx.db.patch(message._id, patch);
    return { state: "run" as const, ...where };
  }
  if (sameRun && args.worker !== undefined && args.worker === known.worker) {
    const { content, toolCalls } = message;
    const { seq, turns } = known;
    const calls = visibleCalls(toolCalls);
    return { state: "run" as const, ...where, content, toolCalls: calls, seq, turns };
  }
  const journal = begun(known, args.attempt, args.runId, args.worker, Date.now());
  const finished = journal.turns.length > 0;
  const content = finished ? message.content : "";
  const toolCalls = finished ? visibleCalls(message.toolCalls) : [];
  await ctx.db.patch(message._id, {
    ...runId,
    content,
    toolCalls: withJournal(toolCalls, journal),
  });
  const { seq, turns } = journal;
  return { state: "run" as const, ...where, content, toolCalls, seq, turns };
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
      const calls = visibleCalls(earlier.toolCalls);
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

/** What a model sees of a conversation: not what failed, and no fixed text of ours. */
export function belongsToHistory(message: Doc<"messages">): boolean {
  if (message.content === "") return false;
  if (message.status === "failed" || message.status === "processing") return false;
  return !(message.status === "cancelled" && message.content === CANCELLED_TEXT);
}

export async function streamContent(
  ctx: MutationCtx,
  args: { messageId: string; content: string; isComplete?: boolean | undefined } & Sequenced,
): Promise<WriteResult> {
  const result = await writeWhileProcessing(ctx, args, () => ({
    content: args.content,
    ...(args.isComplete ? { status: "completed" as const } : {}),
  }));
  if (args.isComplete && result.applied) {
    const { conversationId } = await requireAssistantMessage(ctx, args.messageId);
    await touchConversation(ctx, conversationId);
  }
  return result;
}

/**
 * Adds to the text what is new. Where `offset` (UTF-16 units) is not where the stored text ends,
 * nothing is changed and `length` says where it does.
 */
export async function appendContent(
  ctx: MutationCtx,
  args: {
    messageId: string;
    offset: number;
    text: string;
    status?: FinalStatus | undefined;
  } & Sequenced,
): Promise<WriteResult & { length?: number }> {
  let length: number | undefined;
  const result = await writeWhileProcessing(ctx, args, ({ content }) => {
    if (content.length !== args.offset) {
      length = content.length;
      return null;
    }
    return {
      content: content + args.text,
      ...(args.status === undefined ? {} : { status: args.status }),
    };
  });
  return length === undefined ? result : { ...result, length };
}

export async function finishMessage(
  ctx: MutationCtx,
  args: {
    messageId: string;
    content: string;
    status: FinalStatus;
    error?: { code: string; message: string } | undefined;
  } & Sequenced,
): Promise<WriteResult> {
  return await writeWhileProcessing(ctx, args, () => ({
    content: args.content,
    status: args.status,
    ...(args.error === undefined ? {} : { error: args.error }),
  }));
}

/** Keeps the longer of the stored and the given partial text. */
export async function cancelMessage(
  ctx: MutationCtx,
  args: { messageId: string; content?: string | undefined } & Sequenced,
): Promise<WriteResult> {
  return await writeWhileProcessing(ctx, args, (message) => {
    const given = args.content ?? "";
    const text = given.length > message.content.length ? given : message.content;
    return { status: "cancelled", content: text === "" ? CANCELLED_TEXT : text };
  });
}

/** Says that the run is alive while it has nothing to write. */
export async function renewLease(
  ctx: MutationCtx,
  args: { messageId: string } & Sequenced,
): Promise<WriteResult> {
  return await writeWhileProcessing(ctx, args, () => ({}));
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
 * calls, the turn that made them and what they change of the project may come along, so that a step
 * boundary is one write: a change is made only together with the record of its turn.
 */
export async function saveToolCalls(
  ctx: MutationCtx,
  args: {
    messageId: string;
    toolCalls: ToolCall[];
    content?: string | undefined;
    turn?: Turn | undefined;
    changes?: Infer<typeof turnChange>[] | undefined;
  } & Sequenced,
): Promise<WriteResult & { changes?: Infer<typeof changeOutcome>[] }> {
  const result = await writeWhileProcessing(ctx, args, (message) => ({
    toolCalls: mergeToolCalls(visibleCalls(message.toolCalls), args.toolCalls),
    ...(args.content === undefined ? {} : { content: args.content }),
    ...(args.turn === undefined ? {} : { turn: args.turn }),
  }));
  if (!result.applied || args.changes === undefined) return result;
  const guard = { messageId: args.messageId, seq: args.seq ?? 0 };
  return { ...result, changes: await applyTurnChanges(ctx, args.changes, guard) };
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
  return await writeWhileProcessing(ctx, args, (message) => {
    const calls = message.toolCalls ?? [];
    const isMeant = (call: ToolCall) => call.id === args.toolCallId && !isJournal(call);
    if (!calls.some(isMeant)) return null;
    return {
      toolCalls: calls.map((call) => (isMeant(call) ? { ...call, result: args.result } : call)),
    };
  });
}
