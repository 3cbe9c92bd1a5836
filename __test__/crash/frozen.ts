// Workers that are frozen (SIGSTOP) in the middle of a run and wake up (SIGCONT) when somebody else
// has the message: a second run of it, or, where the runner has given the frozen one up, its end.

import {
  differences,
  type Findings,
  isEnd,
  nothing,
  type Outcome,
  stale,
  twice,
} from "./checks.ts";
import type { GateCall, Moment, Watch } from "./gate.ts";
import { answered, type Calm } from "./killed.ts";
import type { Lab, SecondRunner, Subject } from "./lab.ts";
import type { Scenario } from "./scenarios.ts";
import { isAlive } from "./workers.ts";

export interface FrozenPlan {
  scenario: Scenario;
  key: string;
  moment: Moment;
  /** When it wakes up: its successor has begun, or has ended. */
  until: "begun" | "ended";
}

export interface FrozenVerdict {
  plan: FrozenPlan;
  hit: boolean;
  findings: Findings;
}

const WAIT_MS = 120_000;
const LOOK_MS = 20;

export function describeFrozen({ scenario, key, moment, until }: FrozenPlan): string {
  return `${scenario.name}, frozen when ${key} was ${moment}, until its successor had ${until}`;
}

/** Freezes the first attempt at its point and keeps the call under way until it wakes up. */
class Freezer implements Watch {
  readonly frozen: Promise<number>;
  readonly begun: Promise<void>;
  readonly held: GateCall[] = [];
  readonly #lab: Lab;
  readonly #subject: Subject;
  readonly #plan: Pick<FrozenPlan, "key" | "moment">;
  readonly #woken: Promise<undefined>;
  #isFrozen: (pid: number) => void = () => undefined;
  #hasBegun: () => void = () => undefined;
  #wake: () => void = () => undefined;
  #pid: number | undefined;

  constructor(lab: Lab, subject: Subject, plan: Pick<FrozenPlan, "key" | "moment">) {
    this.#lab = lab;
    this.#subject = subject;
    this.#plan = plan;
    this.frozen = new Promise((settle) => {
      this.#isFrozen = settle;
    });
    this.begun = new Promise((settle) => {
      this.#hasBegun = settle;
    });
    this.#woken = new Promise((settle) => {
      this.#wake = () => settle(undefined);
    });
  }

  at(moment: Moment, call: GateCall): undefined | Promise<undefined> {
    if (call.attempt === 2 && call.key === "beginMessage#1" && moment === "delivered") {
      this.#hasBegun();
    }
    const { key, moment: wanted } = this.#plan;
    if (call.attempt !== 1 || call.key !== key || moment !== wanted) return undefined;
    const { runId } = this.#subject;
    const pid = this.#lab.workers.pidOf(runId);
    if (pid === undefined || !this.#lab.workers.freeze(runId)) return undefined;
    this.#pid = pid;
    this.#isFrozen(pid);
    if (moment === "delivered") return undefined;
    this.held.push(call);
    return this.#woken;
  }

  wakeUp(): void {
    this.#wake();
    if (this.#pid !== undefined) this.#lab.workers.thaw(this.#pid);
  }
}

async function startFrozen(
  lab: Lab,
  plan: FrozenPlan,
  runner?: SecondRunner,
): Promise<{ subject: Subject; freezer: Freezer }> {
  const made: { freezer?: Freezer } = {};
  const watchOf = (subject: Subject) => {
    made.freezer = new Freezer(lab, subject, plan);
    return made.freezer;
  };
  const subject = await lab.send(plan.scenario, watchOf, runner);
  if (made.freezer === undefined) throw new Error("nobody watches the run");
  return { subject, freezer: made.freezer };
}

/** A second run of the message begins while the first one is frozen. */
export async function runSuperseded(
  lab: Lab,
  plan: FrozenPlan,
  calm: Calm,
): Promise<FrozenVerdict> {
  const { subject, freezer } = await startFrozen(lab, plan);
  const findings = nothing();
  let hit = false;
  try {
    const first = await Promise.race([freezer.frozen, lab.finished(subject.runId)]);
    hit = typeof first === "number";
    if (hit) {
      const second = await lab.again(subject);
      if (plan.until === "begun") await Promise.race([freezer.begun, lab.finished(second)]);
      else await lab.finished(second);
      freezer.wakeUp();
      await answered(freezer.held);
      const [status] = await Promise.all([lab.finished(second), lab.finished(subject.runId)]);
      if (status !== "COMPLETED_SUCCESSFULLY") {
        findings.different.push(`the second run ended ${status}`);
      }
    }
    await lab.storeRead();
    findings.different.push(...differences(await lab.outcome(subject), calm.outcome));
    findings.twice.push(...twice(lab, subject));
    findings.stale.push(...stale(subject));
  } catch (error) {
    findings.different.push(error instanceof Error ? error.message : String(error));
  } finally {
    freezer.wakeUp();
    lab.release(subject);
  }
  return { plan, hit, findings };
}

/**
 * The runner finds the frozen run stalled. In a development environment it is not retried but
 * cancelled, as the official engine has it; the message gets its end by the check of dead runs.
 */
export async function runStalled(
  lab: Lab,
  runner: SecondRunner,
  plan: FrozenPlan,
  calm: Calm,
): Promise<FrozenVerdict> {
  const { subject, freezer } = await startFrozen(lab, plan, runner);
  const findings = nothing();
  const finished = runner.runs.until(
    `the end of ${subject.runId}`,
    ({ runId, type }) => runId === subject.runId && type === "finished",
    WAIT_MS,
  );
  finished.catch(() => undefined);
  let hit = false;
  try {
    const first = await Promise.race([freezer.frozen, finished]);
    hit = typeof first === "number";
    if (typeof first !== "number") throw new Error(`it ended ${first.data.status} before`);
    const { data } = await finished;
    if (data.status !== "CANCELED") findings.different.push(`the run ended ${data.status}`);
    await runner.instead(() => lab.repair(subject));
    await lab.storeRead();
    const end = lab.store.newest;
    const before = await lab.outcome(subject);
    findings.different.push(...stalledDifferences(before, calm.outcome, subject));
    freezer.wakeUp();
    await answered(freezer.held);
    // The runner ends the process of a cancelled run: what it has not written by then it never will.
    await gone(first);
    await lab.storeRead();
    findings.different.push(...differences(await lab.outcome(subject), before));
    const late = lab.store.entries.filter(
      ({ seq, ok, documentsChanged }) =>
        seq > end &&
        ok &&
        [subject.messageId, subject.projectId].some((id) => documentsChanged.includes(id)),
    );
    findings.stale.push(...late.map(({ path }) => `${path} changed something behind the end`));
    findings.twice.push(...twice(lab, subject));
  } catch (error) {
    findings.different.push(error instanceof Error ? error.message : String(error));
  } finally {
    freezer.wakeUp();
    lab.release(subject);
  }
  return { plan, hit, findings };
}

function stalledDifferences(actual: Outcome, calm: Outcome, { calls }: Subject): string[] {
  // Frozen behind its last write: the message had its end already.
  if (calls.some(isEnd)) return differences(actual, calm);
  const { status, content = "" } = actual.message as { status?: string; content?: string };
  const whole = (calm.message as { content: string }).content;
  const found: string[] = [];
  if (status !== "cancelled") found.push(`status ${status} instead of cancelled`);
  if (!whole.startsWith(content) && content !== "Message was cancelled.") {
    found.push(`not the beginning of the answer: ${content.slice(0, 120)}`);
  }
  return found;
}

async function gone(pid: number): Promise<void> {
  const until = Date.now() + WAIT_MS;
  while (isAlive(pid)) {
    if (Date.now() > until) throw new Error(`process ${pid} of the cancelled run is still there`);
    await new Promise((settle) => setTimeout(settle, LOOK_MS));
  }
}
