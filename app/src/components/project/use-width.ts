"use client";
// How wide the conversation is, kept in this browser.

import { useCallback, useEffect, useState } from "react";

export const MIN_WIDTH_PX = 300;
export const MAX_WIDTH_PX = 800;
const DEFAULT_WIDTH_PX = 420;
const KEY = "polaris:conversation-width";

export function useWidth(): [number, (width: number) => void] {
  const [width, setWidth] = useState(DEFAULT_WIDTH_PX);
  useEffect(() => {
    try {
      const kept = Number(localStorage.getItem(KEY));
      if (kept > 0) setWidth(within(kept));
    } catch {
      // Only a comfort.
    }
  }, []);
  const change = useCallback((wanted: number) => {
    const next = within(wanted);
    setWidth(next);
    try {
      localStorage.setItem(KEY, String(next));
    } catch {
      // Only a comfort.
    }
  }, []);
  return [width, change];
}

function within(width: number): number {
  return Math.round(Math.min(Math.max(width, MIN_WIDTH_PX), MAX_WIDTH_PX));
}
