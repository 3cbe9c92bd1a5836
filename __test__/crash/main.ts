// npm run test:crash: kills the worker of a run at every boundary of two scripted runs and at random
// moments, freezes workers, and compares what is left with what unkilled runs leave. `--runs N` random
// moments, `--points N` of the boundaries (default: all), `--seed S`, `--concurrency K`,
// `--only killed,twice,superseded,stalled`, `--verbose` shows what the stack says. Everything runs on a
// private stack in a throw-away folder.

import { parseArgs } from "node:util";
import {
  codeOf,
  describe,
  dim,
  onInterrupt,
  privateBranch,
  red,
  throwAwayState,
} from "../../local/commands/lifecycle.ts";
import { differences, type Findings, KINDS, wrong } from "./checks.ts";
import {
  describeFrozen,
  type FrozenPlan,
  type FrozenVerdict,
  runStalled,
  runSuperseded,
} from "./frozen.ts";
import type { Moment } from "./gate.ts";
import {
  type Calm,
  describePlan,
  MOMENTS,
  type Plan,
  type Point,
  runCalm,
  runKilled,
} from "./killed.ts";
import { Lab, type LabOptions } from "./lab.ts";
import { anySeed, Random } from "./random.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";

const RANDOM_RUNS = 300;
const CONCURRENCY = 5;
/** A run must come to its point within this, also in a cold worker. */
const STALL_MS = 8_000;
/** Workers that are cold at the same time are slow to begin. */
const STALLED_CONCURRENCY = 2;
/** A random moment may come after the end of a run that was fast; then another one is tried. */
const TRIES = 4;
const PROGRESS_EVERY = 25;
const PARTS = ["killed", "twice", "superseded", "stalled"] as const;
/** How many of the boundaries the parts take that need several runs for one point. */
const SAMPLES = { twice: 24, superseded: 24, stalled: 6 };

interface Settings {
  runs: number;
  points: number;
  seed: number;
  concurrency: number;
  only: readonly string[];
  verbose: boolean;
}

function settings(): Settings {
  const { values } = parseArgs({
    options: {
      runs: { type: "string" },
      points: { type: "string" },
      seed: { type: "string" },
      concurrency: { type: "string" },
      only: { type: "string" },
      verbose: { type: "boolean", default: false },
    },
  });
  const number = (name: "runs" | "points" | "seed" | "concurrency", otherwise: number) => {
    const text = values[name];
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} takes a number`);
    return value;
  };
  const only = values.only?.split(",") ?? PARTS;
  const unknown = only.filter((name) => !PARTS.some((part) => part === name));
  if (unknown.length > 0) throw new Error(`--only takes ${PARTS.join(",")}, not ${unknown}`);
  return {
    runs: number("runs", RANDOM_RUNS),
    points: number("points", Number.MAX_SAFE_INTEGER),
    seed: number("seed", anySeed()),
    concurrency: Math.max(1, number("concurrency", CONCURRENCY)),
    only,
    verbose: values.verbose,
  };
}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

class Tally {
  passed = 0;
  failed = 0;
  missed = 0;
  runs = 0;
  readonly counts: Record<(typeof KINDS)[number], number> = {
    different: 0,
    repeatedTurns: 0,
    twice: 0,
    stale: 0,
  };
  #total = 0;

  expect(count: number): void {
    this.#total += count;
  }

  take(what: string, findings: Findings, hit: boolean): void {
    const problems = wrong(findings);
    for (const kind of KINDS) this.counts[kind] += findings[kind].length === 0 ? 0 : 1;
    if (!hit) this.missed++;
    if (problems.length === 0) this.passed++;
    else {
      this.failed++;
      say(`${red("FAILED")} ${what}: ${problems.join("; ")}`);
    }
    const done = this.passed + this.failed;
    if (done % PROGRESS_EVERY === 0) say(dim(`${done} of ${this.#total}, ${this.failed} failed`));
  }
}

/** Works through a list, so many at a time, until it is done or we are told to stop. */
async function inParallel<T>(
  items: readonly T[],
  concurrency: number,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = [...items];
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) {
      if (signal.aborted) return;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

interface Known {
  scenario: Scenario;
  calm: Calm;
}

/** Unkilled runs, twice each: what is the same in both is what a killed one must come to. */
async function calmRuns(lab: Lab): Promise<Known[]> {
  const known: Known[] = [];
  for (const scenario of SCENARIOS) {
    const [one, two] = [await runCalm(lab, scenario), await runCalm(lab, scenario)];
    const odd = differences(two.outcome, one.outcome);
    if (odd.length > 0) throw new Error(`two calm runs of ${scenario.name}: ${odd.join("; ")}`);
    // The first one had a cold worker. Timer writes come as time goes: those of both are sure.
    const keys = two.keys.filter((key) => one.keys.includes(key));
    known.push({ scenario, calm: { ...two, keys } });
    say(dim(`${scenario.name}: ${keys.length} calls, ${Math.round(two.ms)} ms`));
  }
  return known;
}

const pointsOf = ({ keys }: Calm): Point[] =>
  keys.flatMap((key) => MOMENTS.map((moment) => ({ key, moment })));

/** Whose beginning came first is all that orders two runs of one message; here it is open. */
const isOpen = (key: string, moment: Moment): boolean =>
  key === "beginMessage#1" && moment === "arrived";

function frozenPlans(known: readonly Known[]): { known: Known; plan: FrozenPlan }[] {
  const moments: Moment[] = ["arrived", "answered", "delivered"];
  return known.flatMap((one) =>
    one.calm.keys.flatMap((key) =>
      moments
        .filter((moment) => !isOpen(key, moment))
        .flatMap((moment) =>
          (["begun", "ended"] as const).map((until) => ({
            known: one,
            plan: { scenario: one.scenario, key, moment, until },
          })),
        ),
    ),
  );
}

async function all(lab: Lab, options: LabOptions, asked: Settings, tally: Tally): Promise<number> {
  const { signal } = options;
  const random = new Random(asked.seed);
  const known = await calmRuns(lab);
  const calmOf = (scenario: Scenario): Calm => {
    const found = known.find((one) => one.scenario === scenario);
    if (found === undefined) throw new Error(`no calm run of ${scenario.name}`);
    return found.calm;
  };
  // All choices before the first run, so that a seed gives the same ones whatever happens.
  const boundaries = known.flatMap(({ scenario, calm }) =>
    pointsOf(calm).map((point): Plan => ({ scenario, kills: [point] })),
  );
  const chosen =
    asked.points < boundaries.length ? random.sample(boundaries, asked.points) : boundaries;
  const scale = Math.min(1, chosen.length / Math.max(1, boundaries.length));
  const some = (count: number): number => Math.max(1, Math.round(count * scale));
  const moments = Array.from({ length: asked.runs }, (): { plan: Plan; next: number[] } => ({
    plan: { scenario: random.pick(SCENARIOS), kills: [{ share: random.next() }] },
    next: Array.from({ length: TRIES - 1 }, () => random.next()),
  }));
  const seconds = random.sample(boundaries, some(SAMPLES.twice)).map((plan): Plan => {
    const keys = ["beginMessage#1", "getMessageContext#1"];
    const second: Point =
      random.next() < 0.5
        ? { key: random.pick(keys), moment: random.pick(["arrived", "answered", "delivered"]) }
        : { share: random.next() * 0.5 };
    return { ...plan, kills: [...plan.kills, second] };
  });
  const frozen = frozenPlans(known);
  const superseded = random.sample(frozen, some(SAMPLES.superseded));
  const stalled = random.sample(frozen, some(SAMPLES.stalled));

  const parts: Record<(typeof PARTS)[number], () => Promise<void>> = {
    killed: async () => {
      tally.expect(chosen.length + moments.length);
      await inParallel(chosen, asked.concurrency, signal, async (plan) => {
        const { hits, findings } = await runKilled(lab, plan, calmOf(plan.scenario));
        tally.runs++;
        tally.take(describePlan(plan), findings, hits === 1);
      });
      await inParallel(moments, asked.concurrency, signal, async ({ plan, next }) => {
        let current = plan;
        let verdict = await runKilled(lab, plan, calmOf(plan.scenario));
        tally.runs++;
        for (const share of next) {
          if (verdict.hits > 0 || wrong(verdict.findings).length > 0 || signal.aborted) break;
          // Earlier than the one that came too late.
          current = { ...plan, kills: [{ share: share / 2 }] };
          verdict = await runKilled(lab, current, calmOf(plan.scenario));
          tally.runs++;
        }
        tally.take(describePlan(current), verdict.findings, verdict.hits === 1);
      });
    },
    twice: async () => {
      tally.expect(seconds.length);
      await inParallel(seconds, asked.concurrency, signal, async (plan) => {
        const { hits, findings } = await runKilled(lab, plan, calmOf(plan.scenario));
        tally.runs++;
        tally.take(describePlan(plan), findings, hits === 2);
      });
    },
    superseded: async () => {
      tally.expect(superseded.length);
      await inParallel(superseded, asked.concurrency, signal, async ({ plan, known }) => {
        takeFrozen(tally, await runSuperseded(lab, plan, known.calm));
      });
    },
    stalled: async () => {
      tally.expect(stalled.length);
      const branch = `${options.branch}-second`;
      const runner = await lab.second({ ...options, branch }, STALL_MS);
      await inParallel(stalled, STALLED_CONCURRENCY, signal, async ({ plan, known }) => {
        takeFrozen(tally, await runStalled(lab, runner, plan, known.calm));
      });
      await lab.closeSecond();
    },
  };
  let points = 0;
  for (const part of PARTS) {
    if (!asked.only.includes(part) || signal.aborted) continue;
    const before = tally.passed + tally.failed;
    const missed = tally.missed;
    const begun = Date.now();
    await parts[part]();
    const count = tally.passed + tally.failed - before;
    points += count;
    const seconds = Math.round((Date.now() - begun) / 1_000);
    say(dim(`${part}: ${count} points in ${seconds} s, ${tally.missed - missed} came too late`));
  }
  return points;
}

function takeFrozen(tally: Tally, { plan, hit, findings }: FrozenVerdict): void {
  tally.runs++;
  tally.take(describeFrozen(plan), findings, hit);
}

async function main(): Promise<number> {
  const asked = settings();
  const state = await throwAwayState();
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const interrupted = new Promise<never>((_, fail) => {
    signal.addEventListener("abort", () => fail(new Error("interrupted")));
  });
  interrupted.catch(() => undefined);
  onInterrupt((name) => {
    process.exitCode = codeOf(name);
    interrupt.abort();
  });
  say(`seed ${asked.seed}`);
  const options: LabOptions = {
    state: state.path,
    branch: privateBranch("crash"),
    signal,
    log: (line) => {
      if (asked.verbose) say(dim(line));
    },
  };
  const tally = new Tally();
  let lab: Lab | undefined;
  let points = 0;
  try {
    lab = await Lab.start(options);
    const work = all(lab, options, asked, tally);
    work.catch(() => undefined);
    points = await Promise.race([work, interrupted]);
  } finally {
    await lab?.close();
    await state.dispose();
  }
  const { counts, runs, missed } = tally;
  const { different, repeatedTurns, twice, stale } = counts;
  process.stdout.write(
    `${points} points × ${runs} runs, ${different} mismatches, ${repeatedTurns} with finished turns ` +
      `repeated, ${twice} with effects twice, ${stale} with writes of an older attempt; ` +
      `${missed} kills came after the end; seed ${asked.seed}\n` +
      `${tally.passed} passed, ${tally.failed} failed\n`,
  );
  return tally.failed === 0 && tally.passed > 0 ? 0 : 1;
}

main().then(
  (code) => {
    process.stdout.write("", () => process.exit(code));
  },
  (error: unknown) => {
    process.stderr.write(`polaris: ${describe(error)}\n`);
    process.exit(process.exitCode ?? 1);
  },
);
