// A measured process that is asked a line at a time.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";

/** A process that has run for less than `IDLE_NS` in so long is at rest. */
const REST_MS = 30;
const IDLE_NS = 1_000_000;
/** Then it is asked all the same, and that is said: `n` times `REST_MS`. */
const MAX_RESTS = 200;

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
   * Resolves once the process and those that it started do nothing more, on Linux: what one does behind its
   * answer (V8 collects a gigabyte on the other core) is not the time of the next.
   */
  async rest(): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined || process.platform !== "linux") return;
    let before = nanoseconds(pid);
    for (let n = 0; n < MAX_RESTS; n++) {
      await wait(REST_MS);
      const now = nanoseconds(pid);
      // A thread that has ended meanwhile takes its time with it.
      if (now >= before && now - before < IDLE_NS) return;
      before = now;
    }
    process.stderr.write(`bench: process ${pid} does not come to rest\n`);
  }
}

/** Processor time of the threads of a process and of the processes that it started. */
function nanoseconds(pid: number): number {
  let sum = 0;
  for (const thread of unlessGone(() => readdirSync(`/proc/${pid}/task`), [])) {
    const at = `/proc/${pid}/task/${thread}`;
    const read = (name: string) => unlessGone(() => readFileSync(`${at}/${name}`, "utf8"), "");
    // Of proc(5): time on the processor, time waiting for it, time slices.
    sum += Number(read("schedstat").split(" ")[0]);
    for (const child of read("children").split(" ").filter(Boolean))
      sum += nanoseconds(Number(child));
  }
  return sum;
}

/** A thread or process may end between two looks. */
function unlessGone<T>(look: () => T, gone: T): T {
  try {
    return look();
  } catch {
    return gone;
  }
}
