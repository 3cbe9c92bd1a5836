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
  const [, begun] = /^Generation (queued|started) \(/.exec(message) ?? [];
  if (begun !== undefined) return { text: begun === "queued" ? "Queued" : "Started" };
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

/** The number of the last step that was begun (0: none), and whether it was finished. */
export function progressOf(lines: readonly LogLine[]): { step: number; finished: boolean } {
  for (const { message } of lines.toReversed()) {
    const [, verb, id] = /^(Starting|Completed) (\S+)$/.exec(message) ?? [];
    const index = GENERATION_STEPS.findIndex(([step]) => step === id);
    if (index >= 0) return { step: index + 1, finished: verb === "Completed" };
  }
  return { step: 0, finished: false };
}

const MAX_PREVIEW_LINES = 12;

export function previewOf(text: string): string {
  const lines = text.split("\n");
  if (lines.length <= MAX_PREVIEW_LINES) return text;
  return `${lines.slice(0, MAX_PREVIEW_LINES).join("\n")}\n…`;
}

/** How many files the lines say were written, and not deleted again. */
export function filesOf(lines: readonly LogLine[]): number {
  const files = new Set<string>();
  for (const { message, filePath } of lines) {
    if (filePath === undefined) continue;
    if (message.startsWith("Wrote ")) files.add(filePath);
    else if (message.startsWith("Deleted ")) files.delete(filePath);
  }
  return files.size;
}
