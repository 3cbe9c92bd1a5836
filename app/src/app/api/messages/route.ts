// Sending a message, asking for a failed answer again, and stopping an answer.

import { z } from "zod";
import { bodyOf, boundedText } from "../../../http/body.ts";
import { methods, signedIn } from "../../../http/route.ts";
import { cancel, type DeadRun, send } from "../../../server/messages.ts";
import { reportDeadRun } from "../../../server/report.ts";

/** A message and what belongs to it must fit into one document of Convex (1 MiB). */
const MAX_MESSAGE_BYTES = 512 * 1024;

const Send = z.union(
  [
    z.strictObject({
      conversationId: z.string(),
      message: boundedText(MAX_MESSAGE_BYTES, "A message"),
    }),
    z.strictObject({ retryOf: z.string() }),
  ],
  { error: "Expected { conversationId, message } or { retryOf }." },
);
const Cancel = z.object({ messageId: z.string() });

export const { GET, POST, PUT, PATCH, DELETE } = methods({
  POST: signedIn(async (request, { userId: ownerId }) => {
    const wanted = await bodyOf(request, Send);
    const { messageId, runId } = await send({ ...wanted, ownerId, onDeadRun: deadRun });
    return { success: true, runId, messageId };
  }),
  DELETE: signedIn(async (request, { userId: ownerId }) => {
    const { messageId } = await bodyOf(request, Cancel);
    const { status } = await cancel({ messageId, ownerId });
    return { success: true, status };
  }),
});

async function deadRun(dead: DeadRun): Promise<void> {
  console.error("A run ended without a report of its own:", dead);
  await reportDeadRun(dead);
}
