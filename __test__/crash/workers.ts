// Which process works on which run, and the signals that end or freeze it. Signals go only to
// processes that have announced a run of ours.

import { readFileSync } from "node:fs";

export class Workers {
  readonly file: string;
  readonly #frozen = new Set<number>();

  constructor(file: string) {
    this.file = file;
  }

  /** The process that executes this run now, or did last. */
  pidOf(runId: string): number | undefined {
    return this.#announced().findLast(({ run }) => run === runId)?.pid;
  }

  /** SIGKILL for the process of this run; false when it is not at work on it (any more). */
  kill(runId: string): boolean {
    return this.#signal(runId, "SIGKILL") !== undefined;
  }

  freeze(runId: string): boolean {
    const pid = this.#signal(runId, "SIGSTOP");
    if (pid !== undefined) this.#frozen.add(pid);
    return pid !== undefined;
  }

  thaw(pid: number): void {
    if (!this.#frozen.delete(pid)) return;
    try {
      process.kill(pid, "SIGCONT");
    } catch {
      // It was ended while it was frozen.
    }
  }

  thawAll(): void {
    for (const pid of [...this.#frozen]) this.thaw(pid);
  }

  #signal(runId: string, signal: NodeJS.Signals): number | undefined {
    const announced = this.#announced();
    const pid = announced.findLast(({ run }) => run === runId)?.pid;
    // A process that is kept alive may have the next run already.
    const busyWith = announced.findLast((line) => line.pid === pid)?.run;
    if (pid === undefined || busyWith !== runId) return undefined;
    try {
      process.kill(pid, signal);
      return pid;
    } catch {
      return undefined;
    }
  }

  #announced(): { pid: number; run: string }[] {
    let text = "";
    try {
      text = readFileSync(this.file, "utf8");
    } catch {
      // No worker has begun yet.
    }
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [pid = "", run = ""] = line.split(" ");
        return { pid: Number(pid), run };
      });
  }
}

/** Alive, and no zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
