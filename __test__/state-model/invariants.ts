// What must hold of a message, whatever happens: of each change of the store, and of each state. Told
// from what is stored alone, so that the same rules judge the model and the real functions.

import { type State, type Step, workerOf } from "./model.ts";
import type { Answer, Call, Rules, Stored } from "./store.ts";
import { CANCELLED_TEXT, FAILURE_TEXT, HALF_TURN, TURN, WHOLE } from "./store.ts";

const PARTS = new Set(["", HALF_TURN, TURN, WHOLE]);

/** What a person and a model can see of it. */
function shown({ status, text, call, error, file }: Stored): string {
  return JSON.stringify({ status, text, call, error, file });
}

/** The invariants that a call breaks, by its effect. */
export function brokenBy(before: Stored, call: Call, answer: Answer, after: Stored): string[] {
  const found: string[] = [];
  const final = before.status !== "processing";
  const changed = shown(before) !== shown(after);
  if (final && after.status !== before.status) found.push("one terminal status, never overwritten");
  if (final && changed) found.push("nothing is written after the terminal status");
  if ("by" in call && before.owner > call.by && changed) {
    found.push("a superseded attempt changes nothing");
  }
  if ("by" in call && call.passed && call.fn !== "effect" && changed) {
    found.push("a write that comes again or late changes nothing");
  }
  const cancels = call.fn === "cancel" || call.fn === "cancelled";
  if (cancels && !final && answer.applied) {
    const longer = call.fn === "cancelled" && call.text.length > before.text.length;
    const kept = longer ? call.text : before.text;
    if (after.status !== "cancelled" || after.text !== (kept || CANCELLED_TEXT)) {
      found.push("a cancel before the final write ends cancelled, with the partial text");
    }
  }
  if (call.fn === "cancel" && !final && !answer.applied) {
    found.push("a cancel before the final write ends cancelled, with the partial text");
  }
  if (call.fn === "check" && after.status === "processing" && answer.again !== true) {
    found.push(NEVER_STUCK);
  }
  return [...found, ...brokenIn(after)];
}

/** The invariants that a stored message breaks by itself. */
function brokenIn({ status, text, call, file, owner, error }: Stored): string[] {
  const found: string[] = [];
  const notice =
    (status === "cancelled" && text === CANCELLED_TEXT) ||
    (status === "failed" && text === FAILURE_TEXT);
  if (!PARTS.has(text) && !notice) found.push("the text is never doubled, mixed or overwritten");
  if (status === "completed" && (text !== WHOLE || call !== "done" || !file)) {
    found.push("a completed message is whole");
  }
  if (status === "processing" && error !== null) found.push("only a failed message has an error");
  if (owner === 0 && text !== "" && !notice) found.push("text comes from a run that has begun");
  return found;
}

/** The invariants that a step breaks. */
export function broken(before: State, { call, answer, state, action }: Step): string[] {
  const found =
    call === undefined || answer === undefined
      ? []
      : brokenBy(before.stored, call, answer, state.stored);
  const { by } = action;
  // An attempt that is the runner's own one is never turned away in favour of itself or an older one.
  if (by !== undefined && answer?.why === "superseded" && state.attempt === by) {
    const { owner } = before.stored;
    if (owner <= by && workerOf(before, by).phase !== "dead") {
      found.push("the newest attempt is never superseded");
    }
  }
  return found;
}

export const NEVER_STUCK = "a message never stays processing";

/** Everybody is gone but the clock and the check that was scheduled: the message still gets its end. */
export function endsInSilence({ stored }: State, store: Rules): boolean {
  if (stored.status !== "processing") return true;
  const { answer } = store(stored, { fn: "check", late: false });
  const late = store(stored, { fn: "check", late: true });
  return answer.again === true && late.stored.status !== "processing";
}
