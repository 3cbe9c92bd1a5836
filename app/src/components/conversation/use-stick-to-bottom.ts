"use client";
// Keeps a growing list at its end while the reader is there, and leaves a reader who has scrolled up
// where they are.

import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";

/** So near to the end counts as at the end. */
const NEAR_PX = 48;

export interface StickToBottom {
  scroller: RefObject<HTMLDivElement | null>;
  content: RefObject<HTMLDivElement | null>;
  /** False: the reader is somewhere above. */
  atEnd: boolean;
  toEnd: () => void;
  /** Draws a change above the reader; what they look at stays where it is on the screen. */
  keepPlace: (draw: () => void) => void;
}

export function useStickToBottom(): StickToBottom {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const stuck = useRef(true);
  const [atEnd, setAtEnd] = useState(true);

  const toEnd = useCallback(() => {
    const box = scroller.current;
    if (box === null) return;
    stuck.current = true;
    setAtEnd(true);
    box.scrollTop = box.scrollHeight;
  }, []);

  useEffect(() => {
    const box = scroller.current;
    const inner = content.current;
    if (box === null || inner === null) return;
    let last = box.scrollTop;
    const onScroll = (): void => {
      const near = box.scrollHeight - box.scrollTop - box.clientHeight <= NEAR_PX;
      // Only a move upwards is the reader's wish to leave; growth alone is not.
      if (near) stuck.current = true;
      else if (box.scrollTop < last) stuck.current = false;
      last = box.scrollTop;
      setAtEnd(stuck.current);
    };
    // Runs between layout and paint: the reader never sees the state in between.
    const observer = new ResizeObserver(() => {
      if (stuck.current) box.scrollTop = box.scrollHeight;
    });
    observer.observe(inner);
    observer.observe(box);
    box.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      box.removeEventListener("scroll", onScroll);
    };
  }, []);

  const keepPlace = useCallback((draw: () => void) => {
    const box = scroller.current;
    const inner = content.current;
    const seen = box === null || inner === null ? undefined : firstSeen(box, inner);
    const before = seen?.getBoundingClientRect().top ?? 0;
    flushSync(draw);
    // Browsers that anchor the scroll themselves may have done this already.
    const moved = (seen?.getBoundingClientRect().top ?? 0) - before;
    if (box !== null && moved !== 0) box.scrollTop += moved;
  }, []);

  return { scroller, content, atEnd, toEnd, keepPlace };
}

/** The first row that is in the reader's sight. */
function firstSeen(box: Element, inner: Element): Element | undefined {
  const { top } = box.getBoundingClientRect();
  return [...inner.querySelectorAll(":scope > article")].find(
    (row) => row.getBoundingClientRect().bottom > top,
  );
}
