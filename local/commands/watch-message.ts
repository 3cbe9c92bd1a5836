// Follows one message by a live query of the official Convex client, as a browser would, and tells
// what is new: text as it grows, tool calls as they come and end, the final status.

import { ConvexClient } from "convex/browser";
import WebSocket from "ws";
import { api } from "../../app/convex/_generated/api.js";
import type { Doc } from "../../app/convex/_generated/dataModel.js";
import { visibleCalls } from "../../app/convex/model/journal.ts";

export type Message = Doc<"messages">;
type ToolCall = NonNullable<Message["toolCalls"]>[number];

export interface MessageListener {
  /** More text at the end. */
  text?(added: string): void;
  /** A new attempt began with a clean message: what was told before is void. */
  restarted?(): void;
  toolCall?(call: ToolCall): void;
  toolResult?(call: ToolCall): void;
}

export interface WatchedMessage {
  /** Settles with the message in its final status. */
  readonly final: Promise<Message>;
  /** Settles as soon as the message (in whatever state) fulfils the condition. */
  until(condition: (message: Message) => boolean): Promise<Message>;
  close(): Promise<void>;
}

export function watchMessage(
  convexUrl: string,
  internalKey: string,
  messageId: string,
  listener: MessageListener = {},
): WatchedMessage {
  // Node 20 has no WebSocket of its own; the client takes any that follows the standard.
  const client = new ConvexClient(convexUrl, {
    webSocketConstructor: WebSocket as unknown as typeof globalThis.WebSocket,
    // It reconnects by itself; what it says about that would stand in the middle of the answer.
    logger: false,
  });
  let told = "";
  const toldCalls = new Map<string, { hasResult: boolean }>();
  const waiting = new Set<(message: Message | Error) => void>();
  let latest: Message | undefined;

  const unsubscribe = client.onUpdate(
    api.system.getMessageById,
    { internalKey, messageId },
    (message) => {
      if (message === null) {
        for (const tell of [...waiting]) tell(new Error(`there is no message ${messageId}`));
        return;
      }
      latest = message;
      // Once final, the text may be the fixed text of an empty answer: no restart then.
      if (!message.content.startsWith(told)) {
        listener.restarted?.();
        told = "";
        toldCalls.clear();
      }
      for (const call of visibleCalls(message.toolCalls)) {
        const known = toldCalls.get(call.id);
        const hasResult = call.result !== undefined;
        if (known === undefined) listener.toolCall?.(call);
        if (hasResult && known?.hasResult !== true) listener.toolResult?.(call);
        toldCalls.set(call.id, { hasResult });
      }
      if (message.content.length > told.length) {
        listener.text?.(message.content.slice(told.length));
        told = message.content;
      }
      for (const tell of [...waiting]) tell(message);
    },
    (error) => {
      for (const tell of [...waiting]) tell(error);
    },
  );

  const until = (condition: (message: Message) => boolean): Promise<Message> =>
    new Promise((settle, fail) => {
      const tell = (message: Message | Error): void => {
        if (message instanceof Error) {
          waiting.delete(tell);
          fail(message);
        } else if (condition(message)) {
          waiting.delete(tell);
          settle(message);
        }
      };
      waiting.add(tell);
      if (latest !== undefined) tell(latest);
    });
  const final = until((message) => isFinal(message));
  final.catch(() => undefined);
  return {
    final,
    until,
    close: async () => {
      unsubscribe();
      await client.close();
    },
  };
}

/** Fails with a message that says what was waited for when it takes too long. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what} took more than ${ms / 1000} s`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export function isFinal({ status }: Pick<Message, "status">): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
