"use client";
// One tool call: what it is about in one line; its arguments and its result when unfolded.

import { Check, ChevronRight, CircleAlert, CircleSlash } from "lucide-react";
import { Collapsible } from "radix-ui";
import { Spinner } from "../ui/spinner.tsx";
import { callTitle, isErrorResult, shown, type ToolCall } from "./tool-words.ts";

export function ToolCallRow({ call, live }: { call: ToolCall; live: boolean }) {
  const { verb, object } = callTitle(call);
  const state =
    call.result === undefined
      ? live
        ? "running"
        : "unanswered"
      : isErrorResult(call.result)
        ? "failed"
        : "done";
  return (
    <li>
      <Collapsible.Root>
        <Collapsible.Trigger className="group flex h-7 w-full items-center gap-2 rounded-md px-1.5 text-left text-sm hover:bg-hover">
          <Mark state={state} />
          <span className="shrink-0 text-muted">{verb}</span>
          <bdi className="min-w-0 truncate font-mono text-ink text-xs">{object}</bdi>
          <ChevronRight
            aria-hidden
            className="ml-auto size-3.5 shrink-0 text-faint transition-transform group-data-[state=open]:rotate-90"
          />
        </Collapsible.Trigger>
        <Collapsible.Content className="mt-1 mb-2 ml-3 space-y-2 border-line border-l pl-4">
          <Value label="Tool" text={call.name} />
          <Value label="Arguments" text={shown(call.args)} />
          {call.result !== undefined && <Value label="Result" text={shown(call.result)} />}
        </Collapsible.Content>
      </Collapsible.Root>
    </li>
  );
}

const MARKS = {
  running: <Spinner className="size-3.5 text-accent" />,
  done: <Check aria-hidden className="size-3.5 shrink-0 text-success" />,
  failed: <CircleAlert aria-hidden className="size-3.5 shrink-0 text-warn" />,
  unanswered: <CircleSlash aria-hidden className="size-3.5 shrink-0 text-faint" />,
};
const WORDS = {
  running: "running",
  done: "done",
  failed: "gave an error",
  unanswered: "was not finished",
};

function Mark({ state }: { state: keyof typeof MARKS }) {
  return (
    <>
      {MARKS[state]}
      <span className="sr-only">{WORDS[state]}:</span>
    </>
  );
}

function Value({ label, text }: { label: string; text: string }) {
  return (
    <div>
      <p className="text-faint text-xs">{label}</p>
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        className="thin-scroll mt-0.5 max-h-56 overflow-auto whitespace-pre-wrap rounded-lg bg-sunken p-2 font-mono text-xs [overflow-wrap:anywhere]"
      >
        {text}
      </pre>
    </div>
  );
}
