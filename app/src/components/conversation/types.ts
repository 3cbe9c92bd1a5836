// What the conversation shows of a message; made from the documents in live/messages.ts.

import type { ToolCall } from "./tool-words.ts";

export type Status = "processing" | "completed" | "cancelled" | "failed";

export interface MessageView {
  id: string;
  role: "user" | "assistant";
  content: string;
  status: Status;
  toolCalls: readonly ToolCall[];
  /** Why it failed, as far as it is known. */
  error?: { code: string; message: string };
}

/** What Convex stores where there was no text (app/convex/model/messages.ts). */
const PLACEHOLDERS: ReadonlySet<string> = new Set([
  "Message was cancelled.",
  "I'm sorry, an error occurred while I was processing your request. Please let me know what else you need.",
]);

/** The text that the model wrote; what merely stands in for it is said by the status. */
export function ownText({ content, status }: Pick<MessageView, "content" | "status">): string {
  return status !== "completed" && PLACEHOLDERS.has(content) ? "" : content;
}
