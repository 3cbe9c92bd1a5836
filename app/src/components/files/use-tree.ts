"use client";
// Which folders are open, kept per project in this browser.

import { useCallback, useEffect, useState } from "react";

const NONE: ReadonlySet<string> = new Set();
/** Each is a live query. */
const MAX_REMEMBERED = 50;

export function useTree(projectId: string) {
  const key = `polaris:folders:${projectId}`;
  const [expanded, setExpanded] = useState(NONE);

  useEffect(() => {
    const kept = read(key);
    if (kept.length > 0) setExpanded(new Set(kept));
  }, [key]);

  const change = useCallback(
    (update: (folders: Set<string>) => void) =>
      setExpanded((before) => {
        const next = new Set(before);
        update(next);
        write(key, [...next].slice(-MAX_REMEMBERED));
        return next;
      }),
    [key],
  );
  const toggle = useCallback(
    (id: string) => change((folders) => folders.delete(id) || folders.add(id)),
    [change],
  );
  const expand = useCallback((id: string) => change((folders) => folders.add(id)), [change]);
  const collapseAll = useCallback(() => change((folders) => folders.clear()), [change]);
  return { expanded, toggle, expand, collapseAll };
}

function read(key: string): string[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(value) ? value.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}

function write(key: string, folders: readonly string[]): void {
  try {
    localStorage.setItem(key, JSON.stringify(folders));
  } catch {
    // Only a comfort.
  }
}
