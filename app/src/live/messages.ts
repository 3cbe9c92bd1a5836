"use client";
// The messages of a conversation, live. Finished ones are one query, the one that is being answered is
// another: an answer that grows does not send the conversation again for each token.

import { useQuery } from "convex/react";
import type { FunctionReturnType } from "convex/server";
import { useMemo } from "react";
import { api } from "../../convex/_generated/api.js";
import type { MessageView } from "../components/conversation/types.ts";

type Shown = FunctionReturnType<typeof api.conversations.getMessages>[number];

export interface Messages {
  /** Oldest first; undefined until they are there. */
  messages: readonly MessageView[] | undefined;
  /** The one that is being answered. */
  answering: MessageView | undefined;
}

export function useMessages(conversationId: string | undefined): Messages {
  const args = conversationId === undefined ? "skip" : { conversationId };
  const finished = useQuery(api.conversations.getMessages, args);
  const current = useQuery(api.messages.answering, args);
  const done = useMemo(() => finished?.map(viewOf), [finished]);
  const answering = useMemo(
    () => (current === undefined || current === null ? undefined : viewOf(current)),
    [current],
  );
  return useMemo(() => {
    if (done === undefined || current === undefined) return { messages: undefined, answering };
    return { messages: answering === undefined ? done : [...done, answering], answering };
  }, [done, answering, current]);
}

function viewOf(message: Shown): MessageView {
  const { _id, role, content, status = "completed", toolCalls, error } = message;
  return {
    id: _id,
    role,
    content,
    status,
    toolCalls,
    ...(error === undefined ? {} : { error }),
  };
}
