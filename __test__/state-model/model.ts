// Message × run × cancel: everything that host, runner, workers, network and clock may do, in any
// order. Pure: `steps` gives what may happen next in a state. One message, at most two attempts, whose
// workers may go on after the runner has given them up; every write may be late, lost before it
// arrives, or lost on the way back.

import type { Answer, Attempt, Call, Rules, Stored, Write } from "./store.ts";
import { CREATED, FAILURE_TEXT, HALF_TURN, TURN, WHOLE } from "./store.ts";

/** Where a worker is in the script: a turn with one call (a child run), and a turn without. */
export type Place =
  | "asked"
  | "talking"
  | "in a tool"
  | "waiting for a child"
  | "with the child's result"
  | "in the final flush";

export type Phase = "off" | "starting" | Place | "failing" | "stopping" | "over" | "dead";

/** A write on its way. */
export interface Flight {
  readonly write: Write;
  readonly passed: boolean;
  /** It repeats the stray one under the same number. */
  readonly same: boolean;
}

export interface Worker {
  readonly phase: Phase;
  /** Where it was when it began to fail or to stop. */
  readonly text: string;
  /** It knows what the store has. */
  readonly synced: boolean;
  readonly flight: Flight | null;
  /** Given up, and perhaps still to arrive. */
  readonly stray: Flight | null;
}

export type Run =
  | "none"
  | "queued"
  | "executing"
  | "delayed"
  | "COMPLETED"
  | "FAILED"
  | "CRASHED"
  | "CANCELED";

export interface State {
  readonly stored: Stored;
  /** How far the host's `send` is: the message is stored, the run exists, all is done or it died. */
  readonly send: "created" | "triggered" | "over";
  readonly run: Run;
  readonly attempt: 0 | Attempt;
  /** The runner was asked to cancel the run, which has not ended yet. */
  readonly cancelling: boolean;
  readonly workers: readonly [Worker, Worker];
  /** Cancels that may still come, of the message or of the run on the runner's own page. */
  readonly cancels: number;
  /** The message was cancelled; its run is to be next. */
  readonly follows: boolean;
  /** Faults of workers and network that may still happen. */
  readonly faults: number;
}

export interface Bounds {
  cancels: number;
  faults: number;
}

/** What an action means for the writes of a worker, beside what its name says to a person. */
export type Kind =
  /** An attempt begins: its first write is on its way. */
  | "starts"
  /** What is on its way counts as lost, and another write goes out instead, or none. */
  | "turns"
  | "ends"
  /** The write arrives, and the next one goes out, if there is one. */
  | "arrives"
  /** As above, but the sender hears nothing: it goes out again, or a newer one instead. */
  | "answer lost"
  /** It is still on its way, but its sender has sent another one, or it again. */
  | "given up"
  | "arrives late"
  | "arrives from the dead"
  | "none";

export interface Action {
  readonly kind: Kind;
  readonly name: string;
  readonly by?: Attempt;
  /** Of a write that was lost or given up: it goes out again under its number. */
  readonly again?: boolean;
}

export interface Step {
  readonly action: Action;
  /** What the store was asked, if it was. */
  readonly call?: Call;
  readonly answer?: Answer;
  readonly state: State;
}

const OFF: Worker = { phase: "off", text: "", synced: true, flight: null, stray: null };

const GONE: Worker = { ...OFF, phase: "over" };

export function first({ cancels, faults }: Bounds): State {
  return {
    ...{ stored: CREATED, send: "created", run: "none", attempt: 0, cancelling: false },
    ...{ workers: [OFF, OFF], cancels, follows: false, faults },
  };
}

export const isOver = (run: Run): boolean =>
  run === "COMPLETED" || run === "FAILED" || run === "CRASHED" || run === "CANCELED";

export const isAlive = ({ phase }: Worker): boolean =>
  phase !== "off" && phase !== "over" && phase !== "dead";

export const workerOf = (state: State, by: Attempt): Worker => state.workers[by - 1] ?? OFF;

/** What may happen next. */
export function steps(state: State, store: Rules): Step[] {
  const found: Step[] = [];
  const act: Act = (name, next, by, kind = "none", again = false) => {
    const action = { kind, name, ...(by === undefined ? {} : { by }), ...(again ? { again } : {}) };
    for (const after of canonical({ ...state, ...next })) found.push({ action, state: after });
  };
  const ask: Ask = (name, call, then, kind = "none", again = false) => {
    const { stored, answer } = store(state.stored, call);
    const by = "by" in call ? { by: call.by } : {};
    const action = { kind, name, ...by, ...(again ? { again } : {}) };
    for (const after of canonical(then({ ...state, stored }, answer))) {
      found.push({ action, call, answer, state: after });
    }
  };
  host(state, act, ask);
  runner(state, act);
  for (const by of [1, 2] as const) worker(state, by, act, ask);
  return found;
}

/**
 * The same state without what makes no difference any more: what a worker thinks of the store and the
 * numbers of its writes, once all of them are refused; further faults, once the message is final. Of a
 * final message the workers know nothing of each other any more, so each is looked at alone.
 */
function canonical(state: State): State[] {
  const final = state.stored.status !== "processing";
  const refused = (by: Attempt): boolean => final || state.stored.owner > by;
  if (!final && !refused(1)) return [state];
  const plain = (flight: Flight | null) =>
    flight === null ? null : { write: flight.write, passed: false, same: false };
  const simple = (worker: Worker, by: Attempt): Worker => {
    if (!refused(by)) return worker;
    const [flight, stray] = [plain(worker.flight), plain(worker.stray)];
    return { ...worker, synced: true, flight, stray };
  };
  const workers: [Worker, Worker] = [simple(state.workers[0], 1), simple(state.workers[1], 2)];
  if (!final) return [{ ...state, workers }];
  const last = { ...state, faults: 0, follows: state.follows && !isOver(state.run) };
  if (!workers.every(({ flight, stray }) => flight !== null || stray !== null)) {
    return [{ ...last, workers }];
  }
  const [one, two] = workers;
  // What the run comes to is told by its own worker, and the other's writes come to nothing.
  return [
    { ...last, workers: [one, GONE] },
    { ...last, workers: [GONE, two] },
  ];
}

type Act = (name: string, next: Partial<State>, by?: Attempt, kind?: Kind, again?: boolean) => void;
type Ask = (
  name: string,
  call: Call,
  then: (after: State, answer: Answer) => State,
  kind?: Kind,
  again?: boolean,
) => void;

/** What the runner makes of a request to cancel. */
function cancelRun(state: State): State {
  if (state.run === "queued" || state.run === "delayed") return { ...state, run: "CANCELED" };
  return state.run === "executing" ? { ...state, cancelling: true } : state;
}

function host(state: State, act: Act, ask: Ask): void {
  const { stored, send, run } = state;
  if (send === "created") {
    act("trigger", { send: "triggered", run: "queued" });
    act("trigger, then the host dies", { send: "over", run: "queued" });
    act("the host dies before the trigger", { send: "over" });
    ask("trigger fails", { fn: "trigger failed" }, (after) => ({ ...after, send: "over" }));
  }
  if (send === "triggered") {
    ask("store the run's id", { fn: "run id" }, (after, { status }) => {
      const sent: State = { ...after, send: "over" };
      return status === "cancelled" ? cancelRun(sent) : sent;
    });
    act("the host dies before it stores the run's id", { send: "over" });
  }
  if (state.cancels > 0) {
    ask("cancel the message", { fn: "cancel" }, (after, { status }) => ({
      ...after,
      cancels: state.cancels - 1,
      follows: state.follows || (status === "cancelled" && stored.runId),
    }));
  }
  if (state.follows) {
    act("cancel the message's run", { ...cancelRun(state), follows: false });
    act("the message's run is not reached", { follows: false });
  }
  // Without a run's id: a minute after the message, which may be at any time here.
  if (stored.status === "processing" && (!stored.runId || isOver(run))) {
    const status = stored.runId && run === "CANCELED" ? "cancelled" : "failed";
    ask("repair", { fn: "repair", status }, (after) => after);
  }
  for (const late of [false, true]) {
    ask(late ? "check, too late" : "check, in time", { fn: "check", late }, (after) => after);
  }
}

function runner(state: State, act: Act): void {
  const { run, attempt, workers } = state;
  if (state.cancels > 0 && !isOver(run) && run !== "none" && !state.cancelling) {
    act("cancel the run on its own page", { ...cancelRun(state), cancels: state.cancels - 1 });
  }
  const start = (next: Attempt): void => {
    const started = sending({ ...OFF, phase: "starting" });
    const all: [Worker, Worker] = next === 1 ? [started, workers[1]] : [workers[0], started];
    act("start an attempt", { run: "executing", attempt: next, workers: all }, next, "starts");
  };
  if (run === "queued") start(1);
  if (run === "delayed") start(2);
  if (run !== "executing" || attempt === 0) return;
  if (state.faults > 0) {
    const faults = state.faults - 1;
    const ends: Run[] = state.cancelling
      ? ["CANCELED"]
      : attempt === 1
        ? ["delayed", "CRASHED"]
        : ["CRASHED"];
    for (const end of ends) {
      const after = { run: end, faults, cancelling: false };
      const { workers: killed } = put(state, attempt, die(workerOf(state, attempt)));
      act(`the worker dies, the run is ${end}`, { ...after, workers: killed }, attempt);
      act(`the worker is taken for dead, the run is ${end}`, after, attempt);
    }
  }
}

function put(state: State, by: Attempt, worker: Worker): State {
  const [one, two] = state.workers;
  return { ...state, workers: by === 1 ? [worker, two] : [one, worker] };
}

/** What was on its way goes on without its sender. */
function die({ flight, stray }: Worker): Worker {
  return { ...OFF, phase: "dead", flight, stray };
}

function worker(state: State, by: Attempt, act: Act, ask: Ask): void {
  const me = workerOf(state, by);
  const arrivesLate = (flight: Flight, kind: Kind, left: (answer: Answer) => Partial<Worker>) => {
    const { write, passed } = flight;
    const then = (after: State, answer: Answer) => put(after, by, { ...me, ...left(answer) });
    ask(`${write.fn} arrives late`, { ...write, by, passed }, then, kind);
  };
  if (me.stray !== null) {
    const { write, passed } = me.stray;
    arrivesLate(me.stray, "arrives late", (answer) => ({
      stray: null,
      flight: numbered(me.flight, write, answer, passed),
    }));
  }
  if (me.flight === null) return;
  if (isAlive(me)) {
    turn(state, by, me, me.flight, act);
    deliver(state, by, me, me.flight, act, ask);
    return;
  }
  const { write, passed } = me.flight;
  arrivesLate(me.flight, "arrives from the dead", (answer) => ({
    flight: null,
    stray: passedBy(me.stray, write, answer, passed),
  }));
}

/** What makes a worker leave its script. */
function turn(state: State, by: Attempt, me: Worker, flight: Flight, act: Act): void {
  if (state.run !== "executing" || state.attempt !== by) return;
  const left = { ...me, flight: null, stray: me.stray ?? flight };
  const set = (name: string, next: Worker, run: Run = state.run, kind: Kind = "turns"): void =>
    act(name, { ...put(state, by, next), run }, by, kind);
  if (state.cancelling && me.phase !== "stopping") {
    // Everything stops at once; what was on its way may still arrive.
    const write: Write = { fn: "cancelled", text: heldText(me) };
    const stopping: Worker = { ...left, phase: "stopping" };
    set("hears of the cancel", { ...stopping, flight: { write, passed: false, same: false } });
  }
  if (me.phase in TEXT && !state.cancelling) {
    const name = "an error that passes ends the attempt";
    if (by === 1) set(name, { ...left, phase: "over" }, "delayed", "ends");
    set("an error that stays", sending({ ...left, phase: "failing", text: heldText(me) }));
  }
}

/** What becomes of the write that a worker has on its way. */
function deliver(state: State, by: Attempt, me: Worker, flight: Flight, act: Act, ask: Ask): void {
  const { write, passed } = flight;
  const call: Call = { ...write, by, passed };
  const heard = (answer: Answer): Worker => {
    return { ...me, stray: passedBy(me.stray, write, answer, passed) };
  };
  const arrive = (after: State, answer: Answer) =>
    answered(after, by, heard(answer), write, answer);
  ask(`${write.fn} arrives`, call, arrive, "arrives");
  if (state.faults === 0) return;
  const faults = state.faults - 1;
  const again = repeats(write);
  const replaced = (next: Worker): Worker => sending({ ...next, synced: false });
  const lose = (after: State, answer: Answer): State => {
    const repeated = { ...flight, passed: passed || took(write, answer) };
    const next = heard(answer);
    return put({ ...after, faults }, by, again ? { ...next, flight: repeated } : replaced(next));
  };
  ask(`${write.fn} arrives, its answer is lost`, call, lose, "answer lost", again);
  if (me.stray === null || me.stray.passed) {
    const next = { ...me, stray: flight };
    const sent = again ? { ...next, flight: { ...flight, same: true } } : replaced(next);
    act(`${write.fn} is given up`, { ...put(state, by, sent), faults }, by, "given up", again);
  }
}

/** The text that a worker has where it is; it may have more than it has sent. */
const TEXT: Readonly<Record<Place, string>> = {
  asked: "",
  talking: HALF_TURN,
  "in a tool": TURN,
  "waiting for a child": TURN,
  "with the child's result": TURN,
  "in the final flush": WHOLE,
};

function heldText(me: Worker): string {
  if (me.phase in TEXT) return TEXT[me.phase as Place];
  return me.text;
}

/** With its next write on its way: a worker always has one. */
function sending(me: Worker): Worker {
  const write = nextWrite(me);
  return { ...me, flight: write === null ? null : { write, passed: false, same: false } };
}

function nextWrite({ phase, synced, text }: Worker): Write | null {
  switch (phase) {
    case "starting":
      return { fn: "begin" };
    case "asked":
      return { fn: "text", base: synced ? "" : null, text: HALF_TURN };
    case "talking":
      return { fn: "turn", text: TURN };
    case "in a tool":
      return { fn: "effect" };
    case "waiting for a child":
      return { fn: "renew" };
    case "with the child's result":
      return { fn: "result", text: synced ? null : TURN };
    case "in the final flush":
      return { fn: "end", base: synced ? TURN : null, text: WHOLE, status: "completed" };
    case "failing":
      return { fn: "end", base: null, text: text || FAILURE_TEXT, status: "failed" };
    default:
      return null;
  }
}

/** Whether a write goes out again under its own number; text is replaced by newer text instead. */
function repeats(write: Write): boolean {
  if (write.fn === "end") return write.base === null;
  return write.fn !== "text" && write.fn !== "renew";
}

/** The write has used its number up. */
function took(write: Write, { applied }: Answer): boolean {
  return applied && write.fn !== "effect";
}

/** An older write, once a newer one has taken effect. */
function passedBy(stray: Flight | null, write: Write, answer: Answer, passed: boolean) {
  if (stray === null || passed || !took(write, answer)) return stray;
  return { ...stray, passed: true };
}

/** The write on its way, once the stray one under the same number has taken effect. */
function numbered(flight: Flight | null, write: Write, answer: Answer, passed: boolean) {
  if (flight === null || !flight.same || passed || !took(write, answer)) return flight;
  return { ...flight, passed: true };
}

/** The worker hears what its write came to. */
function answered(state: State, by: Attempt, me: Worker, write: Write, answer: Answer): State {
  const current = state.run === "executing" && state.attempt === by;
  const end = (run: Run): State => {
    const over = put(state, by, { ...me, phase: "over", flight: null });
    if (!current) return over;
    return { ...over, run: state.cancelling ? "CANCELED" : run, cancelling: false };
  };
  if (write.fn === "cancelled") return end("CANCELED");
  if (answer.why === "superseded") return end("FAILED");
  if (answer.why === "length") return put(state, by, sending({ ...me, synced: false }));
  if (answer.status !== "processing") {
    const failed = write.fn === "end" && write.status === "failed";
    return end(failed ? "FAILED" : "COMPLETED");
  }
  if (write.fn === "begin") return put(state, by, sending({ ...me, ...resumed(state.stored) }));
  const wroteText = "text" in write && write.text !== null;
  const next = { ...me, synced: me.synced || wroteText, phase: AFTER[me.phase] ?? me.phase };
  return put(state, by, sending(next));
}

/** Where an attempt begins. */
function resumed({ call }: Stored): Pick<Worker, "phase" | "synced"> {
  if (call === "none") return { phase: "asked", synced: true };
  return { phase: call === "open" ? "in a tool" : "in the final flush", synced: false };
}

const AFTER: Readonly<Partial<Record<Phase, Phase>>> = {
  asked: "talking",
  talking: "in a tool",
  "in a tool": "waiting for a child",
  "waiting for a child": "with the child's result",
  "with the child's result": "in the final flush",
};
