// The demo's first part: one message streamed to its end, with tool calls on the project's files.

import { visibleCalls } from "../../../app/convex/model/journal.ts";
import { ModelAdmin } from "../../model/client.ts";
import type { Stack } from "../../stack/index.ts";
import { createProjectIn } from "../../stack/seed.ts";
import { watchMessage, within } from "../watch-message.ts";
import { type ConvexCall, commitsOf } from "./servers.ts";

export interface MessageResult {
  status: string;
  runId: string;
  /** Timer writes: text written while streaming, those at a tool call and the final one not counted. */
  writes: number;
  firstTextMs: number;
  totalMs: number;
  text: string;
  toolCalls: number;
  /** The text in Convex equals the text that the model sent. */
  exact: boolean;
}

const TEXT = "Add a dark mode toggle";
/** What is new of the text, or, after a write whose answer was lost, all of it. */
const TIMER_WRITES = ["system:appendMessageContent", "system:streamMessageContent"];
const MAX_ANSWER_MS = 120_000;
/** The product promises at most one write per 100 ms and message. */
const STREAM_INTERVAL_MS = 100;
/** The host stamps a call when it reads it; a busy machine reads some late. */
const STAMP_JITTER_MS = 20;

export async function messagePart(
  stack: Stack,
  progress: (line: string) => void,
): Promise<{ result: MessageResult; held: boolean }> {
  const messages = await import("../../../app/src/server/messages.ts");
  const { CONVEX_URL: convexUrl = "", POLARIS_CONVEX_INTERNAL_KEY: internalKey = "" } = stack.env;
  const { conversationId } = await createProjectIn(convexUrl, internalKey, "Demo: message");
  const begun = performance.now();
  const { messageId } = await messages.send({ conversationId, message: TEXT });
  let firstTextMs: number | undefined;
  const watched = watchMessage(convexUrl, internalKey, messageId, {
    text: () => {
      firstTextMs ??= performance.now() - begun;
    },
    toolCall: (call) => progress(`  tool call: ${call.name}`),
  });
  const message = await within(MAX_ANSWER_MS, "the answer", watched.final);
  const totalMs = performance.now() - begun;
  await watched.close();

  const model = new ModelAdmin(stack.admin("model"));
  const requests = (await model.requests()).filter((request) => request.conversation === TEXT);
  const exact = message.content === requests.map((request) => request.text).join("");
  const timer = timerWrites(await commitsOf(stack, messageId));
  const result: MessageResult = {
    status: message.status ?? "",
    runId: message.triggerRunId ?? "",
    writes: timer.length,
    firstTextMs: Math.round(firstTextMs ?? totalMs),
    totalMs: Math.round(totalMs),
    text: message.content,
    toolCalls: visibleCalls(message.toolCalls).length,
    exact,
  };
  const paced = keepsInterval(timer.map((call) => call.at));
  if (!exact) progress("  the text in Convex is not the text that the model sent");
  if (!paced) progress(`  writes came closer together than ${STREAM_INTERVAL_MS} ms`);
  const held = result.status === "completed" && exact && paced && result.toolCalls > 0;
  return { result, held };
}

/** Writes of the growing text that the clock caused: not at a tool call, not the final one. */
export function timerWrites(commits: readonly ConvexCall[]): ConvexCall[] {
  return commits.filter((call) => TIMER_WRITES.includes(call.path) && call.status === "processing");
}

/**
 * Whether so many writes in so much time keep the interval. Over any stretch and not only from one to
 * the next, so that a stamp that is late does not count against the write behind it.
 */
export function keepsInterval(times: readonly number[]): boolean {
  return times.every((from, first) =>
    times
      .slice(first + 1)
      .every((to, index) => to - from >= (index + 1) * STREAM_INTERVAL_MS - STAMP_JITTER_MS),
  );
}
