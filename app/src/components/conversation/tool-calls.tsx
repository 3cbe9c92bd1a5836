"use client";
// The tool calls of an answer, as they happen. Those of an answer that was finished before the page
// saw it are folded into one line.

import { ChevronRight, Wrench } from "lucide-react";
import { useState } from "react";
import { ToolCallRow } from "./tool-call.tsx";
import type { ToolCall } from "./tool-words.ts";

/** So few are shown at once. */
const UNFOLDED_AT_MOST = 3;

export function ToolCalls({ calls, live }: { calls: readonly ToolCall[]; live: boolean }) {
  // Decided once: what a reader looks at does not fold itself when the answer ends.
  const [open, setOpen] = useState(() => live || calls.length <= UNFOLDED_AT_MOST);
  if (calls.length === 0) return null;
  const count = calls.length === 1 ? "1 tool call" : `${calls.length} tool calls`;
  return (
    <section aria-label="Tool calls" className="rounded-xl border border-line bg-surface">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="group flex h-9 w-full items-center gap-2 rounded-xl px-3 text-muted text-sm hover:text-ink"
      >
        <Wrench aria-hidden className="size-3.5 text-faint" />
        {count}
        <ChevronRight
          aria-hidden
          className="ml-auto size-3.5 text-faint transition-transform group-aria-expanded:rotate-90"
        />
      </button>
      {open && (
        <ul className="px-1.5 pb-1.5">
          {calls.map((call) => (
            <ToolCallRow key={call.id} call={call} live={live} />
          ))}
        </ul>
      )}
    </section>
  );
}
