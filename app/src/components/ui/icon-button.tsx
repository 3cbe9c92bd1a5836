"use client";
// A button with an icon alone: its label is what a screen reader says and what the tooltip shows.

import type { ComponentProps } from "react";
import { cx } from "./cx.ts";
import { Tip } from "./tip.tsx";

export interface IconButtonProps extends ComponentProps<"button"> {
  label: string;
  /** Shown behind the label, as `Ctrl+S`. */
  keys?: string;
  pressed?: boolean;
}

export function IconButton({
  label,
  keys,
  pressed,
  className,
  children,
  ...rest
}: IconButtonProps) {
  return (
    <Tip label={label} keys={keys}>
      <button
        type="button"
        aria-label={label}
        aria-pressed={pressed}
        className={cx(
          "inline-grid size-8 shrink-0 place-items-center rounded-lg text-muted transition-colors hover:bg-hover hover:text-ink disabled:cursor-not-allowed disabled:text-line-strong disabled:hover:bg-transparent [&>svg]:size-4",
          pressed === true && "bg-hover text-ink",
          className,
        )}
        {...rest}
      >
        {children}
      </button>
    </Tip>
  );
}
