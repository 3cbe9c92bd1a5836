"use client";
// Tells screen readers how the newest answer stands, once per change and not once per word.

import { failureOf } from "./failure.ts";
import type { MessageView } from "./types.ts";

export function StatusReader({ messages }: { messages: readonly MessageView[] }) {
  return (
    <p role="status" className="sr-only">
      {words(messages.at(-1))}
    </p>
  );
}

function words(message: MessageView | undefined): string {
  if (message?.role !== "assistant") return "";
  switch (message.status) {
    case "processing":
      return message.content === "" ? "Polaris is thinking" : "Polaris is answering";
    case "completed":
      return "Polaris has answered";
    case "cancelled":
      return "The answer was cancelled";
    case "failed":
      return `The answer failed: ${failureOf(message.error?.code).title}`;
  }
}
