// npm run soak: `--runs N` runs at once in one process (default 1,000) for `--seconds S` (default 120),
// with random cancels and failures, `--seed S`.

import { parseArgs } from "node:util";
import { codeOf, describe, dim, onInterrupt } from "../../local/commands/lifecycle.ts";
import { anySeed } from "../crash/random.ts";
import { checks } from "./checks.ts";
import { soak } from "./soak.ts";

const RUNS = 1_000;
const SECONDS = 120;

function number(text: string | undefined, name: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} takes a positive number`);
  return value;
}

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { runs: text, seconds: text, seed: text } });
  const seed = number(values.seed, "seed", anySeed());
  const runs = number(values.runs, "runs", RUNS);
  const seconds = number(values.seconds, "seconds", SECONDS);
  const interrupt = new AbortController();
  onInterrupt((signal) => {
    process.exitCode = codeOf(signal);
    process.exit();
  });
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  say(`${runs} runs at once for ${seconds} s, seed ${seed}`);
  const result = await soak({
    ...{ seed, runs, seconds, signal: interrupt.signal },
    progress: (line) => say(dim(line)),
  });
  let [passed, failed] = [0, 0];
  for (const { what, holds } of checks(result, runs)) {
    if (holds) passed++;
    else failed++;
    process.stdout.write(`${holds ? "ok    " : "FAILED"} ${what}\n`);
  }
  for (const problem of result.problems) say(problem);
  process.stdout.write(`seed ${seed}\n${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
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
