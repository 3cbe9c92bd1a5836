"use client";
// The conversation's title, its siblings, and how a new one begins.

import { Plus } from "lucide-react";
import { IconButton } from "../ui/icon-button.tsx";
import { History, type HistoryEntry } from "./history.tsx";

export function PaneHeader({
  title,
  conversations,
  currentId,
  onChoose,
  onNew,
  canBeginNew,
}: {
  title: string;
  conversations: readonly HistoryEntry[];
  currentId: string | undefined;
  onChoose: (id: string) => void;
  onNew: () => void;
  canBeginNew: boolean;
}) {
  return (
    <header className="flex h-11 shrink-0 items-center gap-1 border-line border-b pr-1.5 pl-4">
      <h2 className="min-w-0 flex-1 truncate font-medium text-sm">{title}</h2>
      <History conversations={conversations} currentId={currentId} onChoose={onChoose} />
      <IconButton label="New conversation" onClick={onNew} disabled={!canBeginNew}>
        <Plus aria-hidden />
      </IconButton>
    </header>
  );
}
