"use client";
// All conversations of a project, newest first, with a filter.

import { Check, History as HistoryIcon } from "lucide-react";
import { useState } from "react";
import { Ago } from "../ui/ago.tsx";
import { cx } from "../ui/cx.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { Modal } from "../ui/modal.tsx";

export interface HistoryEntry {
  id: string;
  title: string;
  /** Epoch milliseconds. */
  updatedAt: number;
}

export function History({
  conversations,
  currentId,
  onChoose,
}: {
  conversations: readonly HistoryEntry[];
  currentId: string | undefined;
  onChoose: (id: string) => void;
}) {
  const [open, setOpen] = useState(false);
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  const found = conversations.filter(({ title }) => title.toLowerCase().includes(wanted));
  const choose = (id: string): void => {
    onChoose(id);
    setOpen(false);
  };
  return (
    <>
      <IconButton
        label="Conversation history"
        disabled={conversations.length === 0}
        onClick={() => {
          setFilter("");
          setOpen(true);
        }}
      >
        <HistoryIcon aria-hidden />
      </IconButton>
      <Modal open={open} onOpenChange={setOpen} title="Conversations">
        <input
          type="search"
          aria-label="Filter conversations"
          placeholder="Filter by title"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
          className="mt-4 h-9 w-full rounded-lg border border-control bg-surface px-3 outline-none focus-visible:border-accent focus-visible:ring-2 focus-visible:ring-accent/25"
        />
        <ul className="thin-scroll mt-2 max-h-[50dvh] overflow-y-auto">
          {found.map(({ id, title, updatedAt }) => (
            <li key={id}>
              <button
                type="button"
                aria-current={id === currentId}
                onClick={() => choose(id)}
                className={cx(
                  "flex w-full items-center gap-3 rounded-lg px-2.5 py-2 text-left hover:bg-hover",
                  id === currentId && "font-medium",
                )}
              >
                <span className="min-w-0 flex-1 truncate">{title}</span>
                <Ago at={updatedAt} className="shrink-0 text-faint text-xs" />
                <Check
                  aria-hidden
                  className={cx("size-4 shrink-0 text-accent", id !== currentId && "invisible")}
                />
              </button>
            </li>
          ))}
        </ul>
        {found.length === 0 && (
          <p className="py-6 text-center text-muted text-sm">No conversation has this title.</p>
        )}
      </Modal>
    </>
  );
}
