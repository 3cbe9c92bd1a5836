"use client";
// The conversation of a project: header, messages, and where one writes.

import { useEffect, useRef } from "react";
import { Composer } from "./composer.tsx";
import { MessageList } from "./message-list.tsx";
import { PaneHeader } from "./pane-header.tsx";
import { StatusReader } from "./status-reader.tsx";
import { useConversation } from "./use-conversation.ts";

export function ConversationPane({ projectId }: { projectId: string }) {
  const conversation = useConversation(projectId);
  const { messages, state, send, retry, stop, draft } = conversation;
  const field = useRef<HTMLTextAreaElement>(null);

  useEffect(() => {
    if (state !== "answering") return;
    const onKey = (event: KeyboardEvent): void => {
      // A dialog, a menu or the editor's search may have taken it.
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.preventDefault();
      void stop();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [state, stop]);

  return (
    <section aria-label="Conversation" className="flex h-full min-h-0 flex-col bg-surface">
      <PaneHeader
        title={conversation.title}
        conversations={conversation.history}
        currentId={conversation.conversationId}
        onChoose={conversation.choose}
        onNew={() => {
          conversation.beginNew();
          field.current?.focus();
        }}
        canBeginNew={conversation.conversationId !== undefined && messages.length > 0}
      />
      <MessageList
        conversationId={conversation.conversationId}
        messages={messages}
        earlier={conversation.earlier}
        pendingText={conversation.pendingText}
        loading={conversation.loading}
        onRetry={state === "idle" ? (id) => void retry(id) : undefined}
        onSuggestion={(text) => {
          conversation.setDraft(text);
          field.current?.focus();
        }}
      />
      <Composer
        field={field}
        text={draft}
        onText={conversation.setDraft}
        state={state}
        onSend={() => void send(draft)}
        onStop={() => void stop()}
        problem={conversation.problem}
      />
      <StatusReader messages={messages} />
    </section>
  );
}
