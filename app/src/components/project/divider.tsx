"use client";
// The line between conversation and code: dragged, or moved with the arrow keys.

import type { KeyboardEvent, PointerEvent } from "react";
import { MAX_WIDTH_PX, MIN_WIDTH_PX } from "./use-width.ts";

const STEP_PX = 24;

export function Divider({ width, onWidth }: { width: number; onWidth: (width: number) => void }) {
  const onPointerDown = (event: PointerEvent<HTMLDivElement>): void => {
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>): void => {
    if (event.currentTarget.hasPointerCapture(event.pointerId)) onWidth(event.clientX);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "ArrowLeft") onWidth(width - STEP_PX);
    else if (event.key === "ArrowRight") onWidth(width + STEP_PX);
    else return;
    event.preventDefault();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: an <hr> cannot be moved
    <div
      role="separator"
      aria-label="Width of the conversation"
      aria-orientation="vertical"
      aria-valuenow={width}
      aria-valuemin={MIN_WIDTH_PX}
      aria-valuemax={MAX_WIDTH_PX}
      tabIndex={0}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onKeyDown={onKeyDown}
      className="-mx-1 relative z-10 w-2 shrink-0 cursor-col-resize touch-none outline-none before:absolute before:inset-y-0 before:left-1/2 before:w-px before:bg-line hover:before:bg-accent focus-visible:before:w-0.5 focus-visible:before:bg-accent max-lg:hidden"
    />
  );
}
