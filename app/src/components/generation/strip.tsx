"use client";
// One line above the project while it is being generated: how far it is, and Stop.

import { Square } from "lucide-react";
import { Button } from "../ui/button.tsx";
import { ProgressBar } from "../ui/progress-bar.tsx";
import { type Generation, generationWords } from "./use-generation.ts";

export function GenerationStrip({
  generation,
  stopping,
  onStop,
  onShowLog,
}: {
  generation: Generation;
  stopping: boolean;
  onStop: () => void;
  /** Absent where the log is shown already. */
  onShowLog?: (() => void) | undefined;
}) {
  const { step, of } = generation;
  const words = generationWords(generation);
  return (
    <section
      aria-label="Generation"
      className="flex h-12 shrink-0 items-center gap-3 border-line border-b bg-surface px-4"
    >
      <div className="min-w-0 max-w-xl flex-1">
        <p role="status" className="mb-1 truncate text-muted text-xs tabular-nums">
          {words}
        </p>
        <ProgressBar value={step} max={of} label={words} />
      </div>
      <div className="ml-auto flex gap-2">
        {onShowLog !== undefined && (
          <Button size="sm" kind="quiet" onClick={onShowLog} className="max-sm:hidden">
            Show log
          </Button>
        )}
        <Button size="sm" busy={stopping} onClick={onStop}>
          {!stopping && <Square aria-hidden className="size-3 fill-current" />}
          Stop<span className="sr-only"> the generation</span>
        </Button>
      </div>
    </section>
  );
}
