"use client";
// The messages of a conversation. The list stays at its end while the reader is there; a reader who
// has scrolled up stays where they are, also when earlier messages come in above.

import { ArrowDown, MessageSquareText } from "lucide-react";
import { useEffect } from "react";
import type { Earlier } from "../../live/messages.ts";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { AssistantMessage } from "./assistant-message.tsx";
import { EarlierMessages } from "./earlier-messages.tsx";
import { SUGGESTIONS } from "./suggestions.ts";
import type { MessageView } from "./types.ts";
import { useStickToBottom } from "./use-stick-to-bottom.ts";
import { UserMessage } from "./user-message.tsx";

const LONG_MESSAGES = 20;

export function MessageList({
  conversationId,
  messages,
  earlier,
  pendingText,
  loading,
  onRetry,
  onSuggestion,
}: {
  conversationId: string | undefined;
  messages: readonly MessageView[];
  earlier: Earlier;
  pendingText: string | undefined;
  loading: boolean;
  /** Absent while nothing can be sent. */
  onRetry: ((messageId: string) => void) | undefined;
  onSuggestion: (text: string) => void;
}) {
  const { scroller, content, atEnd, toEnd, keepPlace } = useStickToBottom();
  // Another conversation begins at its end, and so does what one has just sent.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the two are when, not what
  useEffect(() => toEnd(), [conversationId, pendingText !== undefined, toEnd]);
  const isEmpty = !loading && messages.length === 0 && pendingText === undefined;
  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={scroller}
        role="log"
        aria-label="Messages"
        aria-live="off"
        aria-busy={loading}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        className="thin-scroll h-full overflow-y-auto overscroll-contain outline-none focus-visible:ring-2 focus-visible:ring-accent/40 focus-visible:ring-inset"
      >
        <div ref={content} className="relative space-y-5 px-4 py-4">
          {messages.length > 0 && (
            <EarlierMessages
              earlier={earlier}
              isLong={messages.length >= LONG_MESSAGES}
              scroller={scroller}
              keepPlace={keepPlace}
            />
          )}
          {messages.map((message, index) =>
            message.role === "user" ? (
              <UserMessage key={message.id} text={message.content} />
            ) : (
              <AssistantMessage
                key={message.id}
                message={message}
                // What was asked before another answer is no longer the question.
                onRetry={
                  onRetry !== undefined && index === messages.length - 1
                    ? () => onRetry(message.id)
                    : undefined
                }
              />
            ),
          )}
          {pendingText !== undefined && <UserMessage text={pendingText} />}
          {isEmpty && (
            <Empty
              icon={MessageSquareText}
              title="What shall we change?"
              actions={SUGGESTIONS.map((text) => (
                <Button key={text} size="sm" onClick={() => onSuggestion(text)}>
                  {text}
                </Button>
              ))}
            >
              Polaris reads and writes the files of this project, and explains what it finds.
            </Empty>
          )}
        </div>
      </div>
      {!atEnd && (
        <Button
          size="sm"
          onClick={toEnd}
          className="absolute bottom-3 left-1/2 -translate-x-1/2 rounded-full shadow-raised"
        >
          <ArrowDown aria-hidden className="size-3.5" />
          Newest
        </Button>
      )}
    </div>
  );
}
