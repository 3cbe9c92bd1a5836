"use client";
// Above the first message: asks for earlier ones before the reader gets there, and says where the
// conversation begins. Its height is the same in every state.

import { RotateCcw } from "lucide-react";
import { type RefObject, useEffect, useRef } from "react";
import type { Earlier } from "../../live/messages.ts";
import { Button } from "../ui/button.tsx";
import { Spinner } from "../ui/spinner.tsx";

/** So far above the top of what is shown. */
const AHEAD_PX = 800;

export function EarlierMessages({
  earlier: { state, load },
  isLong,
  scroller,
  keepPlace,
}: {
  earlier: Earlier;
  /** A short conversation shows its beginning anyway; nothing is said of it. */
  isLong: boolean;
  scroller: RefObject<HTMLDivElement | null>;
  keepPlace: (draw: () => void) => void;
}) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const [box, mark] = [scroller.current, place.current];
    if (state !== "more" || box === null || mark === null) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) load(keepPlace);
      },
      { root: box, rootMargin: `${AHEAD_PX}px 0px 0px` },
    );
    observer.observe(mark);
    return () => observer.disconnect();
  }, [state, load, keepPlace, scroller]);
  return (
    <>
      <div ref={place} aria-hidden className="absolute inset-x-0 top-0 h-px" />
      {(isLong || state === "failed") && (
        <div className="flex h-7 items-center justify-center gap-2 text-faint text-xs">
          {state === "loading" && (
            <span className="inline-flex animate-fade items-center gap-2 [animation-delay:250ms] [animation-fill-mode:backwards]">
              <Spinner className="size-3.5" />
              Loading earlier messages
            </span>
          )}
          {state === "failed" && (
            <>
              Earlier messages could not be loaded.
              <Button size="sm" kind="quiet" onClick={() => load(keepPlace)}>
                <RotateCcw aria-hidden className="size-3.5" />
                Try again
              </Button>
            </>
          )}
          {state === "none" && "The beginning of the conversation"}
        </div>
      )}
    </>
  );
}
