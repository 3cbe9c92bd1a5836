"use client";
// An answer: its tool calls, its text, and one line that says how it stands. The line has the same
// height in every state, so that nothing moves when the answer ends.

import { Ban, RotateCcw } from "lucide-react";
import { memo, type ReactNode, useEffect, useState } from "react";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { failureOf } from "./failure.ts";
import { Markdown } from "./markdown.tsx";
import { ToolCalls } from "./tool-calls.tsx";
import { type MessageView, ownText } from "./types.ts";

export const AssistantMessage = memo(function AssistantMessage({
  message,
  onRetry,
}: {
  message: MessageView;
  /** Asks the same again; absent where that cannot be. */
  onRetry?: (() => void) | undefined;
}) {
  const { status, toolCalls } = message;
  const text = ownText(message);
  const live = status === "processing";
  return (
    <article
      aria-label="Polaris"
      aria-busy={live}
      data-status={status}
      className="min-w-0 space-y-2"
    >
      <ToolCalls calls={toolCalls} live={live} />
      {text !== "" && <Markdown text={text} streaming={live} />}
      {status === "failed" ? (
        <FailedNotice message={message} hasText={text !== ""} onRetry={onRetry} />
      ) : (
        <div className="flex h-8 items-center gap-2 text-faint text-sm">
          <State status={status} hasText={text !== ""} toolCalls={toolCalls} />
          {!live && text !== "" && <CopyButton text={text} label="Copy answer" className="-ml-2" />}
        </div>
      )}
    </article>
  );
});

function State({
  status,
  hasText,
  toolCalls,
}: Pick<MessageView, "status" | "toolCalls"> & { hasText: boolean }): ReactNode {
  if (status === "cancelled") {
    return (
      <span className="inline-flex items-center gap-1.5">
        <Ban aria-hidden className="size-3.5" />
        Cancelled
      </span>
    );
  }
  if (status !== "processing") return null;
  const working = toolCalls.some(({ result }) => result === undefined);
  const word = working ? "Working" : hasText ? "Generating…" : "Thinking";
  return (
    <span className="inline-flex items-center gap-2">
      <Spinner className="size-3.5 text-accent" />
      {word}
      {/* Text that comes says enough by itself. */}
      {word !== "Generating…" && <Waited key={word} />}
    </span>
  );
}

/** A wait of so many seconds is counted: the person sees that it goes on, and can judge it. */
const COUNTED_FROM = 5;

function Waited() {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const begun = Date.now();
    const timer = setInterval(() => setSeconds(Math.floor((Date.now() - begun) / 1_000)), 1_000);
    return () => clearInterval(timer);
  }, []);
  if (seconds < COUNTED_FROM) return null;
  return (
    <span aria-hidden className="tabular-nums">
      {seconds} s
    </span>
  );
}

function FailedNotice({
  message,
  hasText,
  onRetry,
}: {
  message: MessageView;
  hasText: boolean;
  onRetry: (() => void) | undefined;
}) {
  const { code, message: detail } = message.error ?? {};
  const { title, way } = failureOf(code);
  return (
    <Notice
      tone="danger"
      alert={false}
      title={
        <>
          <span className="sr-only">Failed: </span>
          {title}
        </>
      }
      actions={
        onRetry === undefined ? undefined : (
          <Button size="sm" onClick={onRetry}>
            <RotateCcw aria-hidden className="size-3.5" />
            Retry
          </Button>
        )
      }
    >
      <p>
        {hasText && "What was written so far is kept above. "}
        {way}
      </p>
      {detail !== undefined && detail !== "" && (
        <details className="mt-1.5 text-xs">
          <summary className="cursor-pointer text-faint hover:text-muted">Details</summary>
          <p className="mt-1 font-mono [overflow-wrap:anywhere]">
            {code}: {detail}
          </p>
        </details>
      )}
    </Notice>
  );
}
