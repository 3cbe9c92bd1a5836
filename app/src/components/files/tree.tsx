"use client";
// The file tree. Only the rows in view are in the page, so ten thousand files are as quick as ten. The
// focus stays on the tree itself; which row is active is said by `aria-activedescendant`.

import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { moveOf, type Row, typedAhead } from "./tree-model.ts";
import { ROW_HEIGHT_PX, TreeRow } from "./tree-row.tsx";

/** A pause this long begins a new word. */
const TYPING_PAUSE_MS = 700;

export interface TreeProps {
  rows: readonly Row[];
  selectedId: string | undefined;
  label: string;
  onOpen: (id: string) => void;
  onToggle: (id: string) => void;
  onRename: (row: Row) => void;
  onDelete: (row: Row) => void;
  onNew: (type: "file" | "folder", parentId: string | undefined) => void;
  /** The row that the keyboard is on. */
  onActive: (row: Row | undefined) => void;
}

export function Tree(props: TreeProps) {
  const { rows, selectedId, label, onOpen, onToggle, onActive } = props;
  const treeId = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const typed = useRef({ text: "", at: 0 });
  const [activeId, setActiveId] = useState<string>();
  const found = rows.findIndex(({ entry }) => entry.id === (activeId ?? selectedId));
  const active = Math.max(0, found);

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT_PX,
    getItemKey: (index) => rows[index]?.entry.id ?? index,
    overscan: 12,
  });

  useEffect(() => {
    setActiveId(selectedId);
  }, [selectedId]);

  const focus = (index: number): void => {
    const row = rows[index];
    setActiveId(row?.entry.id);
    onActive(row);
    virtual.scrollToIndex(index);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[active];
    if (event.key === "F2" && row !== undefined) props.onRename(row);
    else if (event.key === "Delete" && row !== undefined) props.onDelete(row);
    else {
      const move = moveOf(event.key, rows, active) ?? typeAhead(event.key);
      if (move === undefined) return;
      if (move.kind === "focus") focus(move.index);
      else if (move.kind === "open") onOpen(move.id);
      else onToggle(move.id);
    }
    event.preventDefault();
  };

  const typeAhead = (key: string) => {
    if (key.length !== 1 || rows.length === 0) return undefined;
    const now = Date.now();
    const before = now - typed.current.at < TYPING_PAUSE_MS ? typed.current.text : "";
    typed.current = { text: before + key, at: now };
    const index = typedAhead(rows, active, typed.current.text);
    return index === undefined ? undefined : { kind: "focus" as const, index };
  };

  const items = virtual.getVirtualItems();
  const activeShown = items.some(({ index }) => index === active);
  return (
    <div
      ref={scroller}
      role="tree"
      aria-label={label}
      tabIndex={0}
      aria-activedescendant={activeShown && rows.length > 0 ? `${treeId}-${active}` : undefined}
      onKeyDown={onKeyDown}
      className="group/tree thin-scroll min-h-0 flex-1 overflow-y-auto px-1.5 pb-3 outline-none"
    >
      <div role="presentation" className="relative" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, start, key }) => {
          const row = rows[index];
          if (row === undefined) return null;
          return (
            <TreeRow
              key={key}
              id={`${treeId}-${index}`}
              row={row}
              top={start}
              selected={row.entry.id === selectedId}
              active={index === active}
              onPress={() => {
                focus(index);
                if (row.entry.type === "file") onOpen(row.entry.id);
                else onToggle(row.entry.id);
              }}
              onRename={() => props.onRename(row)}
              onDelete={() => props.onDelete(row)}
              onNew={(type) => props.onNew(type, row.entry.id)}
            />
          );
        })}
      </div>
    </div>
  );
}
