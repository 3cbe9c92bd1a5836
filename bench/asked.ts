// A measured process that is asked a line at a time.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";

/** The kernel counts a process's time in ticks of 10 ms: one that stands for so long does nothing. */
const REST_MS = 30;
/** A process that never rests is asked all the same. */
const MAX_RESTS = 100;

export interface Answer {
  ms: number;
  text?: string;
  own?: number;
  server?: number | null;
}

export class Asked {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = "";

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    const child = spawn(command, args, { env, stdio: ["pipe", "pipe", "pipe"] });
    child.stderr.setEncoding("utf8").on("data", (part: string) => {
      this.#errors += part;
    });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async ask(request: object): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`a measured process ended: ${this.#errors}`);
    return JSON.parse(value) as Answer;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, "close");
    this.#child.stdin?.end();
    await closed;
  }

  /**
   * Resolves once the process and those that it started do nothing more, where the system says so: what
   * one does behind its answer (V8 collects a gigabyte on the other core) is not the time of the next.
   */
  async rest(): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined || process.platform !== "linux") return;
    let before = ticks(pid);
    for (let n = 0; n < MAX_RESTS; n++) {
      await wait(REST_MS);
      const now = ticks(pid);
      if (now === before) return;
      before = now;
    }
  }
}

/** Processor time of a process and of those that it started, in ticks. */
function ticks(pid: number): number {
  try {
    // The name of a process may hold spaces and brackets. Fields 14 and 15: utime and stime.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const own = Number(fields[11]) + Number(fields[12]);
    return started(pid).reduce((sum, child) => sum + ticks(child), own);
  } catch {
    return 0;
  }
}

function started(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.flatMap((thread) => {
    const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8");
    return children.split(" ").filter(Boolean).map(Number);
  });
}
