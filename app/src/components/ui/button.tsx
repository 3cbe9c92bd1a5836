"use client";
// Buttons: one main action per view, the others quiet. Never a link.

import { Slot } from "radix-ui";
import type { ComponentProps } from "react";
import { cx } from "./cx.ts";
import { Spinner } from "./spinner.tsx";

const KINDS = {
  primary:
    "bg-accent text-on-accent hover:bg-accent-strong disabled:bg-hover disabled:text-faint shadow-xs",
  plain:
    "border border-line-strong bg-surface text-ink hover:bg-hover disabled:text-faint disabled:hover:bg-surface",
  quiet:
    "text-muted hover:bg-hover hover:text-ink disabled:text-faint disabled:hover:bg-transparent",
  danger:
    "bg-danger-soft text-danger border border-danger/30 hover:border-danger disabled:opacity-60",
} as const;

const SIZES = {
  md: "h-9 px-3.5 text-base",
  sm: "h-7 px-2.5 text-sm",
} as const;

export interface ButtonProps extends ComponentProps<"button"> {
  kind?: keyof typeof KINDS;
  size?: keyof typeof SIZES;
  /** Shows that its action is under way; it cannot be pressed meanwhile. */
  busy?: boolean;
  asChild?: boolean;
}

export function Button({
  kind = "plain",
  size = "md",
  busy = false,
  asChild = false,
  className,
  disabled,
  children,
  ...rest
}: ButtonProps) {
  const style = cx(
    "inline-flex shrink-0 select-none items-center justify-center gap-1.5 whitespace-nowrap rounded-lg font-medium transition-colors disabled:cursor-not-allowed",
    KINDS[kind],
    SIZES[size],
    className,
  );
  if (asChild) return <Slot.Root className={style}>{children}</Slot.Root>;
  return (
    <button
      type="button"
      className={style}
      disabled={disabled === true || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {busy && <Spinner />}
      {children}
    </button>
  );
}
