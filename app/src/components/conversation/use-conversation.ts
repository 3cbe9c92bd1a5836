"use client";
// One project's conversations: which one is shown, its messages, and sending, stopping, retrying. What
// was typed comes back when a send fails; what was stored in spite of a lost reply counts as sent.

import { useMutation, useQuery } from "convex/react";
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import { ApiError, explain } from "../../live/errors.ts";
import { useMessages } from "../../live/messages.ts";
import { request } from "../../live/request.ts";
import type { HistoryEntry } from "./history.tsx";
import { titleOf } from "./title.ts";
import type { MessageView } from "./types.ts";
import { useDraft } from "./use-draft.ts";

/** No conversation yet: the first send makes one. */
const NEW = "new";

interface Pending {
  text: string;
  /** Messages that were there before. */
  before: ReadonlySet<string>;
}

export function useConversation(projectId: string) {
  const listed = useQuery(api.conversations.getByProject, { projectId });
  const createConversation = useMutation(api.conversations.create);
  const [chosen, setChosen] = useState<string>();
  const current =
    chosen === NEW ? undefined : (listed?.find(({ _id }) => _id === chosen) ?? listed?.[0]);
  const conversationId = current?._id;

  const { messages, answering, earlier } = useMessages(conversationId);
  const latest = useRef(messages);
  latest.current = messages;

  const draft = useDraft(projectId);
  const { hold, confirm, restore } = draft;
  const [pending, setPending] = useState<Pending>();
  const [stopping, setStopping] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const busy = useRef(false);

  const isStored = pending !== undefined && holds(messages, pending);

  const send = useCallback(
    async (given: string): Promise<void> => {
      const text = given.trim();
      // Two clicks come faster than a render.
      if (text === "" || busy.current) return;
      busy.current = true;
      setProblem(undefined);
      const sent: Pending = { text, before: new Set(latest.current?.map(({ id }) => id)) };
      setPending(sent);
      hold(given);
      try {
        let target = conversationId;
        if (target === undefined) {
          target = await createConversation({ projectId, title: titleOf(text) });
          setChosen(target);
        }
        await request("POST", "/api/messages", { conversationId: target, message: text });
        confirm();
      } catch (error) {
        if (isStoredAnyway(error) || holds(latest.current, sent)) confirm();
        else {
          restore();
          setProblem(explain(error));
        }
      } finally {
        busy.current = false;
        setPending(undefined);
      }
    },
    [conversationId, projectId, createConversation, hold, confirm, restore],
  );

  /** Asks for a failed answer once more. */
  const retry = useCallback(async (messageId: string): Promise<void> => {
    if (busy.current) return;
    busy.current = true;
    setProblem(undefined);
    try {
      await request("POST", "/api/messages", { retryOf: messageId });
    } catch (error) {
      if (!isStoredAnyway(error)) setProblem(explain(error));
    } finally {
      busy.current = false;
    }
  }, []);

  const answeringId = answering?.id;
  const stop = useCallback(async (): Promise<void> => {
    if (answeringId === undefined || stopping === answeringId) return;
    setStopping(answeringId);
    setProblem(undefined);
    try {
      await request("DELETE", "/api/messages", { messageId: answeringId });
    } catch (error) {
      setStopping(undefined);
      setProblem(`The answer could not be stopped. ${explain(error)}`);
    }
  }, [answeringId, stopping]);

  useEffect(() => {
    if (answeringId === undefined) setStopping(undefined);
  }, [answeringId]);

  const choose = useCallback((id: string) => {
    setChosen(id);
    setProblem(undefined);
  }, []);

  const history: HistoryEntry[] = (listed ?? []).map(({ _id, title, updatedAt }) => ({
    id: _id,
    title,
    updatedAt,
  }));

  return {
    loading: listed === undefined || (conversationId !== undefined && messages === undefined),
    title: current?.title ?? "New conversation",
    conversationId,
    history,
    messages: messages ?? [],
    earlier,
    answering,
    /** Sent, and not in the list yet. */
    pendingText: isStored ? undefined : pending?.text,
    state:
      answeringId !== undefined
        ? stopping === answeringId
          ? ("stopping" as const)
          : ("answering" as const)
        : pending !== undefined
          ? ("sending" as const)
          : ("idle" as const),
    problem,
    draft: draft.text,
    setDraft: draft.change,
    send,
    retry,
    stop,
    choose,
    beginNew: useCallback(() => choose(NEW), [choose]),
  };
}

function holds(messages: readonly MessageView[] | undefined, { text, before }: Pending): boolean {
  return (messages ?? []).some(
    ({ id, role, content }) => role === "user" && content === text && !before.has(id),
  );
}

/** The runner did not take it: the message is there, and its failed answer says so. */
function isStoredAnyway(error: unknown): boolean {
  return error instanceof ApiError && error.status === 502 && "messageId" in error.body;
}
