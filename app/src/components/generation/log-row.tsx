"use client";
// One line of the log; a written file can be unfolded to a preview.

import { ChevronRight, CircleAlert, FilePen, FileX, Info, Milestone } from "lucide-react";
import { memo, useState } from "react";
import { cx } from "../ui/cx.ts";
import { clockTime } from "../ui/relative-time.ts";
import { lineWords, previewOf } from "./log-words.ts";

export interface LogEvent {
  type: "step" | "file" | "info" | "error";
  message: string;
  filePath?: string;
  preview?: string;
  /** Epoch milliseconds. */
  createdAt: number;
}

export const LogRow = memo(function LogRow({ event }: { event: LogEvent }) {
  const [open, setOpen] = useState(false);
  const { text, path } = lineWords(event);
  const { type, preview } = event;
  const line = (
    <>
      <time
        suppressHydrationWarning
        dateTime={new Date(event.createdAt).toISOString()}
        className="w-16 shrink-0 text-faint text-xs tabular-nums"
      >
        {clockTime(event.createdAt)}
      </time>
      <Mark type={type} deleted={event.message.startsWith("Deleted ")} />
      <span
        className={cx(
          "min-w-0 [overflow-wrap:anywhere]",
          type === "error" && "text-danger",
          type === "step" && "font-medium",
          (type === "info" || type === "file") && "text-muted",
        )}
      >
        {text}
        {path !== undefined && <bdi className="ml-1.5 font-mono text-ink text-xs">{path}</bdi>}
      </span>
    </>
  );
  if (preview === undefined || preview === "") {
    return <li className="flex min-h-7 items-baseline gap-2.5 py-1 text-sm">{line}</li>;
  }
  return (
    <li>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="group -mx-2 flex min-h-7 w-[calc(100%+1rem)] items-baseline gap-2.5 rounded-md px-2 py-1 text-left text-sm hover:bg-hover"
      >
        {line}
        <ChevronRight
          aria-hidden
          className="ml-auto size-3.5 shrink-0 self-center text-faint transition-transform group-aria-expanded:rotate-90"
        />
      </button>
      {open && (
        <pre
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
          tabIndex={0}
          className="thin-scroll mt-1 mb-2 overflow-x-auto rounded-lg border border-line bg-sunken p-3 font-mono text-xs sm:ml-19"
        >
          {previewOf(preview)}
        </pre>
      )}
    </li>
  );
});

function Mark({ type, deleted }: { type: LogEvent["type"]; deleted: boolean }) {
  const Icon =
    type === "error"
      ? CircleAlert
      : type === "step"
        ? Milestone
        : type === "info"
          ? Info
          : deleted
            ? FileX
            : FilePen;
  return (
    <Icon
      aria-hidden
      className={cx(
        "size-3.5 shrink-0 self-center",
        type === "error" ? "text-danger" : type === "step" ? "text-accent" : "text-faint",
      )}
    />
  );
}
