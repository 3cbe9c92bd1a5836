// What every command shares: interrupts that arrive twice and count once, an end that waits for
// everything to be closed, and paths. A command must leave nothing running, however it ends.

import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { onParentGone } from "../../scripts/process.mjs";

export const ROOT = resolve(import.meta.dirname, "../..");
/** Where `npm start` keeps everything. */
export const STATE = join(ROOT, ".polaris");

/** Ctrl-C comes from the terminal and once more through npm; what comes together is one. */
const SAME_SIGNAL_MS = 300;

/**
 * Calls `first` on the first interrupt (Ctrl-C, SIGTERM, SIGHUP, death of the parent) and `second` on
 * any later one. Returns how to stop listening.
 */
export function onInterrupt(
  first: (signal: NodeJS.Signals) => void,
  second: (signal: NodeJS.Signals) => void = () => process.exit(130),
): () => void {
  let last: number | undefined;
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const handle = (signal: NodeJS.Signals): void => {
    const now = Date.now();
    const isFirst = last === undefined;
    if (!isFirst && now - (last ?? 0) < SAME_SIGNAL_MS) return;
    last = now;
    if (isFirst) first(signal);
    else second(signal);
  };
  for (const signal of signals) process.on(signal, handle);
  onParentGone(() => handle("SIGHUP"));
  return () => {
    for (const signal of signals) process.off(signal, handle);
  };
}

/** The exit code that a signal stands for. */
export function codeOf(signal: NodeJS.Signals): number {
  return signal === "SIGINT" ? 130 : signal === "SIGTERM" ? 143 : 129;
}

/** A state folder for one command; removed by `dispose`. */
export async function throwAwayState(): Promise<{ path: string; dispose: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "polaris-"));
  // Also when a person will not wait for the rest.
  const atExit = (): void => rmSync(path, { recursive: true, force: true });
  process.once("exit", atExit);
  return {
    path,
    dispose: async () => {
      await rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 100 });
      process.off("exit", atExit);
    },
  };
}

/** A branch name that no other stack of this checkout has. */
export function privateBranch(command: string): string {
  return `${command}-${process.pid}-${Date.now().toString(36)}`;
}

const colours = process.stderr.isTTY && process.env.NO_COLOR === undefined;
export const dim = (text: string): string => (colours ? `\u001b[2m${text}\u001b[22m` : text);
export const bold = (text: string): string => (colours ? `\u001b[1m${text}\u001b[22m` : text);
export const red = (text: string): string => (colours ? `\u001b[31m${text}\u001b[39m` : text);
export const green = (text: string): string => (colours ? `\u001b[32m${text}\u001b[39m` : text);

export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
