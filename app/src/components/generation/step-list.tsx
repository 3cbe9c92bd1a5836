// The nine steps at a glance: done, under way, to come.

import { Ban, Check, CircleAlert } from "lucide-react";
import { GENERATION_STEPS } from "../../../convex/model/generation.ts";
import { cx } from "../ui/cx.ts";
import { Spinner } from "../ui/spinner.tsx";
import type { Generation } from "./use-generation.ts";

type Mark = "done" | "running" | "failed" | "cancelled" | "waiting";

interface Progress {
  step: number;
  finished: boolean;
}

export function StepList({
  status,
  progress,
}: {
  status: Generation["status"];
  progress: Progress;
}) {
  return (
    <ol aria-label="Steps" className="grid grid-cols-2 gap-x-4 gap-y-0.5 sm:grid-cols-3">
      {GENERATION_STEPS.map(([id, title], index) => {
        const mark = markOf(index + 1, status, progress);
        return (
          <li
            key={id}
            aria-current={mark === "running" ? "step" : undefined}
            className="flex h-7 items-center gap-2 text-sm"
          >
            <span className="grid size-4 place-items-center">{MARKS[mark]}</span>
            <span className={mark === "waiting" ? "text-faint" : "text-ink"}>{title}</span>
            <span className="sr-only">({WORDS[mark]})</span>
          </li>
        );
      })}
    </ol>
  );
}

function markOf(number: number, status: Generation["status"], { step, finished }: Progress): Mark {
  const isDone = number < step || (number === step && finished);
  if (status === "completed" || isDone) return "done";
  if (number > step) return "waiting";
  return status === "failed" || status === "cancelled" ? status : "running";
}

const MARKS = {
  done: <Check aria-hidden className="size-4 text-success" />,
  running: <Spinner className={cx("size-3.5 text-accent")} />,
  failed: <CircleAlert aria-hidden className="size-4 text-danger" />,
  cancelled: <Ban aria-hidden className="size-3.5 text-faint" />,
  waiting: <span className="size-1.5 rounded-full bg-line-strong" />,
};
const WORDS: Readonly<Record<Mark, string>> = {
  done: "done",
  running: "under way",
  failed: "failed",
  cancelled: "cancelled",
  waiting: "to come",
};
