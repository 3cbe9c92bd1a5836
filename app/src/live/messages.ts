"use client";
// The messages of a conversation, live. The newest answer is one query, those before it are another: an
// answer that grows does not send the conversation again for each token, nor at its end.
// Earlier ones are asked for as the reader comes to them, and stay.

import { useConvex, useQuery } from "convex/react";
import type { FunctionReturnType } from "convex/server";
import { useCallback, useMemo, useRef, useState } from "react";
import { api } from "../../convex/_generated/api.js";
import type { MessageView } from "../components/conversation/types.ts";
import { follow, messagesOf, prepend, type Transcript } from "./transcript.ts";

type Shown = FunctionReturnType<typeof api.conversations.getMessages>[number];

/** What a page begins with, and what is asked for at a time; each is sent whole when one is added. */
const PAGE_MESSAGES = 50;

export interface Earlier {
  /** "none": the first message is the beginning of the conversation. */
  state: "more" | "loading" | "failed" | "none";
  /** Asks for the page before; `apply` draws it, so that it can keep the reader's place. */
  load: (apply: (draw: () => void) => void) => void;
}

export interface Messages {
  /** Oldest first; undefined until they are there. */
  messages: readonly MessageView[] | undefined;
  /** The one that is being answered. */
  answering: MessageView | undefined;
  earlier: Earlier;
}

export function useMessages(conversationId: string | undefined): Messages {
  const convex = useConvex();
  const finished = useQuery(
    api.conversations.getMessages,
    conversationId === undefined
      ? "skip"
      : { conversationId, limit: PAGE_MESSAGES, withoutNewest: true },
  );
  const newest = useQuery(
    api.messages.newest,
    conversationId === undefined ? "skip" : { conversationId },
  );
  const [known, setKnown] = useState<Transcript<Shown>>();
  const [asking, setAsking] = useState<{ conversationId: string; failed: boolean }>();
  /** The conversation that a page is being asked for. */
  const busy = useRef<string>(undefined);

  const isBehind =
    conversationId !== undefined &&
    finished !== undefined &&
    (known?.conversationId !== conversationId || known.live !== finished);
  const transcript = isBehind ? follow(known, conversationId, finished) : known;
  if (isBehind) setKnown(transcript);
  const shown = transcript?.conversationId === conversationId ? transcript : undefined;

  const views = useRef(new Map<string, MessageView>());
  const done = useMemo(
    () => shown && messagesOf(shown).map((message) => viewIn(views.current, message)),
    [shown],
  );
  const last = useMemo(() => {
    if (newest === undefined || newest === null) return undefined;
    return newest.status === "processing" ? viewOf(newest) : viewIn(views.current, newest);
  }, [newest]);
  const messages = useMemo(() => {
    if (done === undefined || newest === undefined) return undefined;
    return last === undefined ? done : [...done, last];
  }, [done, last, newest]);
  const answering = last?.status === "processing" ? last : undefined;

  const first = shown && messagesOf(shown)[0]?._creationTime;
  const load = useCallback<Earlier["load"]>(
    (apply) => {
      if (conversationId === undefined || first === undefined) return;
      if (busy.current === conversationId) return;
      busy.current = conversationId;
      setAsking({ conversationId, failed: false });
      convex
        .query(api.conversations.getMessages, {
          conversationId,
          before: first,
          limit: PAGE_MESSAGES,
        })
        .then(
          (page) =>
            apply(() => {
              setAsking(undefined);
              // Another conversation may be shown by now.
              setKnown((now) =>
                now?.conversationId === conversationId ? prepend(now, page) : now,
              );
            }),
          () => setAsking({ conversationId, failed: true }),
        )
        .finally(() => {
          if (busy.current === conversationId) busy.current = undefined;
        });
    },
    [convex, conversationId, first],
  );
  const asked = asking?.conversationId === conversationId ? asking : undefined;
  const state =
    shown === undefined || shown.complete
      ? "none"
      : asked === undefined
        ? "more"
        : asked.failed
          ? "failed"
          : "loading";
  const earlier = useMemo<Earlier>(() => ({ state, load }), [state, load]);
  return { messages, answering, earlier };
}

/** A finished message does not change, so that its view stays the same object. */
function viewIn(views: Map<string, MessageView>, message: Shown): MessageView {
  const before = views.get(message._id);
  if (before !== undefined) return before;
  const view = viewOf(message);
  views.set(message._id, view);
  return view;
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
