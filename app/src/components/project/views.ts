// The parts of a project's page, as the bar at the bottom of a narrow page chooses between them.

import { FileCode, FolderTree, type LucideIcon, MessageSquareText, ScrollText } from "lucide-react";

export type View = "chat" | "files" | "editor" | "log";

export const VIEWS: readonly { view: View; title: string; icon: LucideIcon }[] = [
  { view: "chat", title: "Chat", icon: MessageSquareText },
  { view: "files", title: "Files", icon: FolderTree },
  { view: "editor", title: "Editor", icon: FileCode },
  { view: "log", title: "Log", icon: ScrollText },
];

export function viewOf(value: string | undefined): View {
  return VIEWS.find(({ view }) => view === value)?.view ?? "chat";
}
