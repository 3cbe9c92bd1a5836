// The promises of the addon. It knows them by numbers and settles in one call whatever has come of them:
// a way of its own for each promise costs more than what most of them carry.

// Not the global one: tests and browsers' worlds replace it.
import { setInterval } from "node:timers";
import type { Mailbox, NativeAddon } from "./native.ts";

interface Waiting {
  /** What must not be collected meanwhile. */
  owner: unknown;
  read: (answer: string | null) => unknown;
  fail: (error: unknown) => unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const waiting = new Map<number, Waiting>();
let last = 0;
let mailbox: Mailbox | undefined;
/** A thread with open promises does not end. */
let awake: NodeJS.Timeout | undefined;

/** The longest that a timer takes; what it does then is nothing. */
const LONGEST_MS = 2 ** 31 - 1;

/** This thread's mailbox, for the addon. */
export function mailboxOf(addon: NativeAddon): Mailbox {
  mailbox ??= addon.openMailbox(settle);
  return mailbox;
}

/** How a promise is kept and settled. There is one for each batch of events of each run. */
export interface Settling<T> {
  /** Stays reachable while the promise is open. */
  owner: unknown;
  /** What the addon's answer means. */
  read: (answer: string | null) => T;
  /** What the addon's error means. */
  fail: (error: unknown) => unknown;
}

/** What comes of something that `ask` asks the addon for, under a number; it may answer at once. */
export function promiseOf<T>(
  settling: Settling<T>,
  // biome-ignore lint/suspicious/noConfusingVoidType: it may answer, or not
  ask: (number: number) => string | null | undefined | void,
): Promise<T> {
  const { owner, read, fail } = settling;
  return new Promise((resolve, reject) => {
    last = (last + 1) >>> 0;
    let now: ReturnType<typeof ask>;
    try {
      now = ask(last);
    } catch (error) {
      reject(fail(error));
      return;
    }
    if (now !== undefined) {
      resolve(read(now));
      return;
    }
    waiting.set(last, { owner, read, fail, resolve: resolve as Waiting["resolve"], reject });
    if (waiting.size === 1) stayAwake().ref();
  });
}

/** Numbers and what became of them, in turn: text, null, or an error, which rejects. */
function settle(letters: readonly unknown[]): void {
  for (let at = 0; at + 1 < letters.length; at += 2) {
    const number = letters[at] as number;
    const promise = waiting.get(number);
    waiting.delete(number);
    if (promise !== undefined) settleOne(promise, letters[at + 1]);
  }
  if (waiting.size === 0) awake?.unref();
}

function settleOne({ read, fail, resolve, reject }: Waiting, answer: unknown): void {
  try {
    // Not `instanceof Error`: with contexts of `node:vm`, there are several classes of that name.
    if (typeof answer === "string" || answer === null) resolve(read(answer));
    else reject(fail(answer));
  } catch (error) {
    reject(error);
  }
}

function stayAwake(): NodeJS.Timeout {
  awake ??= setInterval(() => undefined, LONGEST_MS);
  return awake;
}
