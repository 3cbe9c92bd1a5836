// Lines of the generation log in words, and how far they got. Pure. The lines are the core's
// (crates/core/src/job/generation_step.rs) and Convex's (app/convex/model/generation.ts).

import { GENERATION_STEPS } from "../../../convex/model/generation.ts";

export interface LogLine {
  type: "step" | "file" | "info" | "error";
  message: string;
  filePath?: string | undefined;
}

const TITLES: ReadonlyMap<string, string> = new Map([
  ["validate-input", "Description"],
  ...GENERATION_STEPS,
]);

/** What a person reads instead of step ids. */
export function lineWords({ message, filePath }: LogLine): { text: string; path?: string } {
  const file = /^(Wrote|Deleted) /.exec(message);
  if (file !== null && filePath !== undefined) return { text: file[1] ?? "", path: filePath };
  if (/^Generation queued/.test(message)) return { text: "Queued" };
  const step = /^(Starting|Completed) (\S+)$/.exec(message);
  if (step !== null) {
    const [, verb, id = ""] = step;
    return { text: `${titleOf(id)}: ${verb === "Starting" ? "started" : "done"}` };
  }
  const calls = /^(\S+) emitted (\d+) tool call/.exec(message);
  if (calls !== null) {
    const [, id = "", count = ""] = calls;
    return { text: `${titleOf(id)}: ${count} tool call${count === "1" ? "" : "s"}` };
  }
  const failed = /^(\S+) failed: (.*)$/s.exec(message);
  if (failed !== null && TITLES.has(failed[1] ?? "")) {
    return { text: `${titleOf(failed[1] ?? "")} failed: ${failed[2] ?? ""}` };
  }
  return { text: message };
}

function titleOf(id: string): string {
  return TITLES.get(id) ?? id;
}

/** The number of the last step that was begun; 0: none. */
export function reachedStep(lines: readonly LogLine[]): number {
  for (const { message } of lines.toReversed()) {
    const id = /^Starting (\S+)$/.exec(message)?.[1];
    const index = GENERATION_STEPS.findIndex(([step]) => step === id);
    if (index >= 0) return index + 1;
  }
  return 0;
}

const MAX_PREVIEW_LINES = 12;

export function previewOf(text: string): string {
  const lines = text.split("\n");
  if (lines.length <= MAX_PREVIEW_LINES) return text;
  return `${lines.slice(0, MAX_PREVIEW_LINES).join("\n")}\n…`;
}
