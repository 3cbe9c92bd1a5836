// One run whose worker is killed at a chosen point, once or twice, and what became of it.

import {
  deadDifferences,
  differences,
  type Findings,
  isEnd,
  nothing,
  type Outcome,
  repeatedTurns,
  stale,
  twice,
} from "./checks.ts";
import type { GateCall, Moment, Watch } from "./gate.ts";
import type { Lab, Subject } from "./lab.ts";
import type { Scenario } from "./scenarios.ts";

/**
 * At a call: `arrived`, it never reaches the host; `answered`, it takes effect and the worker does not
 * learn of it; `delivered`, the worker has just learnt of it; `late`, it reaches the host when the
 * next attempt has begun. Or so long after the attempt began.
 */
export type Point =
  | { key: string; moment: Moment | "late" }
  | {
      /** As a share of the calm run. */
      share: number;
    };

export interface Plan {
  scenario: Scenario;
  /** One per attempt that is killed. */
  kills: readonly Point[];
}

export interface Calm {
  outcome: Outcome;
  keys: readonly string[];
  /** From the first call to the end. */
  ms: number;
}

export interface Verdict {
  plan: Plan;
  /** How many of the kills hit. */
  hits: number;
  findings: Findings;
}

export const MOMENTS = ["arrived", "answered", "delivered", "late"] as const;

export function describePlan({ scenario, kills }: Plan): string {
  const points = kills.map((point) =>
    "share" in point ? `at ${(point.share * 100).toFixed(1)} %` : `${point.key} ${point.moment}`,
  );
  return `${scenario.name}, killed ${points.join(" and ")}`;
}

/** Runs a scenario that nobody kills. */
export async function runCalm(lab: Lab, scenario: Scenario): Promise<Calm> {
  const subject = await lab.send(scenario, () => ({ at: () => undefined }));
  const status = await lab.finished(subject.runId);
  const outcome = await lab.outcome(subject);
  const { status: shown } = outcome.message as { status?: string };
  if (status !== "COMPLETED_SUCCESSFULLY" || shown !== "completed") {
    throw new Error(`the calm run of ${scenario.name} ended ${status}, its message ${shown}`);
  }
  await lab.storeRead();
  const odd = [...twice(lab, subject), ...(await repeatedTurns(lab, subject, 0))];
  if (odd.length > 0) throw new Error(`the calm run of ${scenario.name}: ${odd.join("; ")}`);
  lab.release(subject);
  const times = subject.calls.map(({ answeredAt = 0 }) => answeredAt);
  return {
    outcome,
    keys: subject.calls.map(({ key }) => key),
    ms: Math.max(...times) - Math.min(...times),
  };
}

class Killer implements Watch {
  hits = 0;
  readonly #lab: Lab;
  readonly #subject: Subject;
  readonly #plan: Plan;
  readonly #calmMs: number;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #fired = new Set<number>();
  /** Calls that are held until their attempt is over. */
  readonly #held = new Map<number, { go: () => void; call: GateCall }[]>();
  readonly late: GateCall[] = [];

  constructor(lab: Lab, subject: Subject, plan: Plan, calmMs: number) {
    this.#lab = lab;
    this.#subject = subject;
    this.#plan = plan;
    this.#calmMs = calmMs;
  }

  at(moment: Moment, call: GateCall): undefined | "lost" | Promise<undefined | "lost"> {
    if (call.key === "beginMessage#1") {
      if (moment === "arrived") this.#startTimer(call.attempt);
      if (moment === "delivered") this.letGo(call.attempt);
    }
    const point = this.#plan.kills[call.attempt - 1];
    if (point === undefined || "share" in point || point.key !== call.key) return undefined;
    const kills = point.moment === "late" ? "arrived" : point.moment;
    if (kills !== moment || !this.#kill(call.attempt)) return undefined;
    if (point.moment !== "late") return moment === "delivered" ? undefined : "lost";
    this.late.push(call);
    return new Promise((settle) => {
      const held = { go: () => settle(undefined), call };
      this.#held.set(call.attempt, [...(this.#held.get(call.attempt) ?? []), held]);
    });
  }

  /** Lets the late calls of all attempts before this one go on to the host. */
  letGo(attempt: number): void {
    for (const [of, held] of this.#held) {
      if (of >= attempt) continue;
      this.#held.delete(of);
      for (const { go } of held) go();
    }
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.letGo(Number.POSITIVE_INFINITY);
  }

  #startTimer(attempt: number): void {
    const point = this.#plan.kills[attempt - 1];
    if (point === undefined || !("share" in point)) return;
    const ms = point.share * this.#calmMs;
    this.#timers.push(setTimeout(() => this.#kill(attempt), ms));
  }

  #kill(attempt: number): boolean {
    if (this.#fired.has(attempt)) return false;
    this.#fired.add(attempt);
    const hit = this.#lab.workers.kill(this.#subject.runId);
    if (hit) this.hits++;
    return hit;
  }
}

const LATE_MS = 30_000;
const LOOK_MS = 10;

export async function runKilled(lab: Lab, plan: Plan, calm: Calm): Promise<Verdict> {
  const made: { killer?: Killer } = {};
  const subject = await lab.send(plan.scenario, (mine) => {
    made.killer = new Killer(lab, mine, plan, calm.ms);
    return made.killer;
  });
  const { killer } = made;
  if (killer === undefined) throw new Error("nobody watches the run");
  const findings = nothing();
  try {
    const runStatus = await lab.finished(subject.runId);
    killer.stop();
    await answered(killer.late);
    const ended = subject.calls.some(isEnd);
    const attempts = lab.attempts(subject.runId);
    if (tooLate(plan, runStatus, attempts, killer.hits)) killer.hits--;
    const dead = killer.hits === 2 && !ended;
    if (dead) await lab.repair(subject);
    await lab.storeRead();
    const outcome = await lab.outcome(subject);
    if (dead) findings.different.push(...deadDifferences(outcome, calm.outcome));
    else findings.different.push(...differences(outcome, calm.outcome));
    if (killer.hits < 2 && runStatus !== "COMPLETED_SUCCESSFULLY") {
      findings.different.push(`the run ended ${runStatus}`);
    }
    if (attempts !== Math.min(2, 1 + killer.hits)) {
      findings.different.push(`${attempts} attempts for ${killer.hits} kills`);
    }
    findings.repeatedTurns.push(...(await repeatedTurns(lab, subject, killer.hits)));
    findings.twice.push(...twice(lab, subject));
    findings.stale.push(...stale(subject));
  } catch (error) {
    findings.different.push(error instanceof Error ? error.message : String(error));
  } finally {
    killer.stop();
    lab.release(subject);
  }
  return { plan, hits: killer.hits, findings };
}

/**
 * Whether the last kill, set by a clock, hit a process that had said already how its run ended: the
 * runner does not ask for another attempt, and there was nothing left to lose.
 */
function tooLate({ kills }: Plan, runStatus: string, attempts: number, hits: number): boolean {
  const last = kills[hits - 1];
  const timed = last !== undefined && "share" in last;
  return timed && runStatus === "COMPLETED_SUCCESSFULLY" && attempts === hits;
}

/** The host has answered what was held back. */
export async function answered(calls: readonly GateCall[]): Promise<void> {
  const until = Date.now() + LATE_MS;
  while (calls.some(({ answeredAt }) => answeredAt === undefined)) {
    if (Date.now() > until) throw new Error("a held call was not answered");
    await new Promise((settle) => setTimeout(settle, LOOK_MS));
  }
}
