// What a soak has to show, as lines for a person with the numbers in them.

import type { SoakResult } from "./soak.ts";

/** Generous: what a run may hold while it works, and what a process may hold for itself. */
const PER_RUN_BYTES = 512 * 1024;
const PROCESS_BYTES = 256 * 2 ** 20;
/** Between the middle and the last third of the time: a leak would go on growing. */
const MAX_GROWTH_BYTES = 64 * 2 ** 20;
/** Of keep-alive connections and the like. */
const SPARE_FILES = 32;

export interface Check {
  what: string;
  holds: boolean;
}

export function checks(result: SoakResult, runs: number): Check[] {
  const { messages, byStatus, leftToCheck, problems, rss, handles } = result;
  const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  const most = rss.before + PROCESS_BYTES + runs * PER_RUN_BYTES;
  const counts = Object.entries(byStatus)
    .map(([status, count]) => `${count} ${status}`)
    .join(", ");
  const { completed = 0, failed = 0, cancelled = 0 } = byStatus;
  return [
    {
      what: `every message is final and exact: ${messages} messages, ${counts}, ${leftToCheck} of them by the check of dead runs, ${problems.length} wrong`,
      holds: problems.length === 0 && completed + failed + cancelled === messages,
    },
    {
      what: "there were all three ends",
      holds: Math.min(completed, failed, cancelled) > 0,
    },
    {
      what: `memory is bounded: ${mib(rss.before)} before, ${mib(rss.peak)} at most (limit ${mib(most)}), ${mib(rss.after)} after`,
      holds: rss.peak < most,
    },
    {
      what: `memory does not grow: ${mib(rss.middle)} in the middle third, ${mib(rss.late)} in the last`,
      holds: rss.late - rss.middle < MAX_GROWTH_BYTES,
    },
    {
      what: `nothing is left: ${handles.runs} runs, ${handles.handles} handles, ${handles.requests} requests to the model`,
      holds: handles.runs + handles.handles + handles.requests === 0,
    },
    {
      what: `open files: ${handles.filesBefore} before, ${handles.files} after`,
      holds: handles.files <= handles.filesBefore + SPARE_FILES,
    },
  ];
}
