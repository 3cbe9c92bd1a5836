"use client";
// One row of the file tree, with what can be done to it behind the right button (or a long press).

import { ChevronRight, FilePlus, FolderPlus, Pencil, Trash2 } from "lucide-react";
import { ContextMenu } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "../ui/cx.ts";
import { Spinner } from "../ui/spinner.tsx";
import { FileIcon } from "./file-icon.tsx";
import type { Row } from "./tree-model.ts";

export const ROW_HEIGHT_PX = 28;
const INDENT_PX = 14;

export function TreeRow({
  id,
  row: { entry, level, position, siblings, expanded, loading },
  top,
  selected,
  active,
  onPress,
  onRename,
  onDelete,
  onNew,
}: {
  id: string;
  row: Row;
  top: number;
  selected: boolean;
  active: boolean;
  onPress: () => void;
  onRename: () => void;
  onDelete: () => void;
  onNew: (type: "file" | "folder") => void;
}) {
  const isFolder = entry.type === "folder";
  return (
    <ContextMenu.Root modal={false}>
      <ContextMenu.Trigger asChild>
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the tree, which has the focus */}
        {/* biome-ignore lint/a11y/useFocusableInteractive: as above, by aria-activedescendant */}
        <div
          id={id}
          role="treeitem"
          aria-level={level}
          aria-posinset={position}
          aria-setsize={siblings}
          aria-selected={selected}
          aria-expanded={isFolder ? expanded : undefined}
          title={entry.name}
          onClick={onPress}
          style={{ top, height: ROW_HEIGHT_PX, paddingLeft: 6 + (level - 1) * INDENT_PX }}
          className={cx(
            "absolute inset-x-0 flex cursor-default select-none items-center gap-1.5 rounded-md pr-2 text-sm",
            selected ? "bg-accent-soft text-ink" : "text-muted hover:bg-hover hover:text-ink",
            active &&
              "group-focus-visible/tree:outline-2 group-focus-visible/tree:outline-accent group-focus-visible/tree:-outline-offset-2",
          )}
        >
          <span aria-hidden className="grid size-4 shrink-0 place-items-center text-faint">
            {loading ? (
              <Spinner className="size-3" />
            ) : (
              isFolder && (
                <ChevronRight
                  className={cx("size-3.5 transition-transform", expanded && "rotate-90")}
                />
              )
            )}
          </span>
          <FileIcon name={entry.name} folder={isFolder} open={expanded} />
          <bdi className="truncate">{entry.name}</bdi>
        </div>
      </ContextMenu.Trigger>
      <ContextMenu.Portal>
        <ContextMenu.Content className="z-50 min-w-44 animate-fade rounded-xl border border-line bg-raised p-1 shadow-raised">
          {isFolder && (
            <>
              <Item icon={<FilePlus />} onSelect={() => onNew("file")}>
                New file
              </Item>
              <Item icon={<FolderPlus />} onSelect={() => onNew("folder")}>
                New folder
              </Item>
            </>
          )}
          <Item icon={<Pencil />} onSelect={onRename}>
            Rename
          </Item>
          <Item icon={<Trash2 />} onSelect={onDelete} danger>
            Delete
          </Item>
        </ContextMenu.Content>
      </ContextMenu.Portal>
    </ContextMenu.Root>
  );
}

function Item({
  icon,
  danger = false,
  onSelect,
  children,
}: {
  icon: ReactNode;
  danger?: boolean;
  onSelect: () => void;
  children: ReactNode;
}) {
  return (
    <ContextMenu.Item
      onSelect={onSelect}
      className={cx(
        "flex cursor-default select-none items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-sm outline-none data-[highlighted]:bg-hover [&>svg]:size-4",
        danger ? "text-danger" : "[&>svg]:text-faint",
      )}
    >
      {icon}
      {children}
    </ContextMenu.Item>
  );
}
