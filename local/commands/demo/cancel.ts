// The demo's second part: a message that is cancelled while it streams. The model's socket has to
// close, the partial text has to stay, and nothing may be written afterwards.

import { ModelAdmin } from "../../model/client.ts";
import type { Stack } from "../../stack/index.ts";
import { createProjectIn } from "../../stack/seed.ts";
import { watchMessage, within } from "../watch-message.ts";
import { commitsOf, runEvent } from "./servers.ts";

export interface CancelResult {
  status: string;
  cancelToSocketClosedMs: number;
  cancelToRunFinalMs: number;
  writesAfterCancel: number;
  partialKept: boolean;
}

const TEXT = "Tell me a long story about the north star";
/** A text that takes about 40 s, so that only a cancel ends it early. */
const STORY = "The north star stands still while the others turn. ".repeat(320);
const DELTAS_PER_SECOND = 100;
const DELTAS_BEFORE_CANCEL = 60;
const MAX_SOCKET_CLOSED_MS = 100;
const MAX_FINAL_MS = 30_000;

export async function cancelPart(
  stack: Stack,
  progress: (line: string) => void,
): Promise<{ result: CancelResult; held: boolean }> {
  const messages = await import("../../../app/src/server/messages.ts");
  const { CONVEX_URL: convexUrl = "", POLARIS_CONVEX_INTERNAL_KEY: internalKey = "" } = stack.env;
  const { conversationId } = await createProjectIn(convexUrl, internalKey, "Demo: cancel");
  const model = new ModelAdmin(stack.admin("model"));
  await model.script({
    match: { contains: TEXT },
    turns: [{ text: STORY, chunkChars: 4, deltasPerSecond: DELTAS_PER_SECOND }],
    loop: true,
  });
  const { messageId } = await messages.send({ conversationId, message: TEXT });
  const watched = watchMessage(convexUrl, internalKey, messageId);
  const early = watched.final.then(({ status }): never => {
    throw new Error(`the message was ${status} before it could be cancelled`);
  });
  early.catch(() => undefined);
  const request = await Promise.race([
    model.waitFor({ contains: TEXT, deltas: DELTAS_BEFORE_CANCEL }),
    early,
  ]);
  const partial = await watched.until(
    ({ content, triggerRunId }) => content !== "" && triggerRunId !== undefined,
  );
  const runId = partial.triggerRunId ?? "";
  progress("  streaming; cancelling now");
  await messages.cancel({ messageId });
  const closed = await model.waitFor({ type: "client-closed", requestId: request.id });
  const asked = await runEvent(stack, runId, "cancel requested");
  const finished = await runEvent(stack, runId, "finished");
  const message = await within(MAX_FINAL_MS, "the final status", watched.final);
  await watched.close();

  const commits = await commitsOf(stack, messageId);
  const cancelled = commits.findIndex((call) => call.status === "cancelled");
  const result: CancelResult = {
    status: message.status ?? "",
    // The socket may close before: the message's status is set first, and the run sees it.
    cancelToSocketClosedMs: Math.max(0, Math.round(closed.at - asked.at)),
    cancelToRunFinalMs: Math.max(0, Math.round(finished.at - asked.at)),
    writesAfterCancel: cancelled < 0 ? commits.length : commits.length - cancelled - 1,
    partialKept: message.content !== "" && closed.text.startsWith(message.content),
  };
  if (result.cancelToSocketClosedMs > MAX_SOCKET_CLOSED_MS) {
    progress(`  the model's socket closed only after ${result.cancelToSocketClosedMs} ms`);
  }
  const held =
    result.status === "cancelled" &&
    result.cancelToSocketClosedMs <= MAX_SOCKET_CLOSED_MS &&
    result.writesAfterCancel === 0 &&
    result.partialKept &&
    finished.data.status === "CANCELED";
  return { result, held };
}
