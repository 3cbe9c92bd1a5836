"use client";
// A labelled input whose hint and error are read out with it.

import type { ComponentProps, ReactNode } from "react";
import { useId } from "react";
import { cx } from "./cx.ts";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
}

const BOX =
  "w-full rounded-lg border bg-surface px-3 py-2 text-base outline-none transition-colors focus-visible:border-accent focus-visible:ring-2 focus-visible:ring-accent/25 disabled:text-faint";

function useField({ hint, error }: Pick<FieldProps, "hint" | "error">) {
  const id = useId();
  const noteId = `${id}-note`;
  const described = error !== undefined || hint !== undefined ? noteId : undefined;
  return { id, noteId, described, invalid: error !== undefined };
}

function Frame({
  id,
  noteId,
  label,
  hint,
  error,
  children,
}: FieldProps & { id: string; noteId: string; children: ReactNode }) {
  return (
    <div>
      <label htmlFor={id} className="mb-1.5 block font-medium text-sm">
        {label}
      </label>
      {children}
      {/* Its line is always there: a message must not move what is below it. */}
      <p
        id={noteId}
        aria-live="polite"
        className={cx("mt-1 min-h-4.5 text-xs", error === undefined ? "text-faint" : "text-danger")}
      >
        {error ?? hint}
      </p>
    </div>
  );
}

export function TextField({ label, hint, error, ...rest }: FieldProps & ComponentProps<"input">) {
  const { id, noteId, described, invalid } = useField({ hint, error });
  return (
    <Frame id={id} noteId={noteId} label={label} hint={hint} error={error}>
      <input
        id={id}
        aria-invalid={invalid || undefined}
        aria-describedby={described}
        className={cx(BOX, invalid ? "border-danger" : "border-control")}
        {...rest}
      />
    </Frame>
  );
}

export function TextArea({ label, hint, error, ...rest }: FieldProps & ComponentProps<"textarea">) {
  const { id, noteId, described, invalid } = useField({ hint, error });
  return (
    <Frame id={id} noteId={noteId} label={label} hint={hint} error={error}>
      <textarea
        id={id}
        aria-invalid={invalid || undefined}
        aria-describedby={described}
        className={cx(BOX, "resize-y", invalid ? "border-danger" : "border-control")}
        {...rest}
      />
    </Frame>
  );
}
