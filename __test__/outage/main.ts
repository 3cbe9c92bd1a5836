// npm run test:outage: every case with `--seed S`, or only those whose name has `--only TEXT`.

import { parseArgs } from "node:util";
import { codeOf, describe, onInterrupt } from "../../local/commands/lifecycle.ts";
import { anySeed } from "../crash/random.ts";
import { ALL } from "./cases.ts";
import { outage } from "./outage.ts";

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { seed: text, only: text } });
  const seed = values.seed === undefined ? anySeed() : Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error("--seed takes a whole number");
  onInterrupt((signal) => process.exit(codeOf(signal)));
  process.stderr.write(`seed ${seed}\n`);
  let [passed, failed] = [0, 0];
  for (const one of ALL.filter(({ name }) => name.includes(values.only ?? ""))) {
    const { problems, faults, attempts, wallMs, nominalMs } = await outage(one, seed);
    if (problems.length === 0) passed++;
    else failed++;
    const promised = nominalMs + 2 * one.writeMs;
    process.stdout.write(
      `${problems.length === 0 ? "ok    " : "FAILED"} ${one.name}: ${one.runs} runs exact, ${faults} faults, ` +
        `${attempts} attempts at most, ${Math.round(wallMs)} ms (stream and two writes: ${promised} ms, ` +
        `${(wallMs / promised).toFixed(2)} x)\n`,
    );
    for (const problem of problems) process.stdout.write(`       ${problem}\n`);
  }
  process.stdout.write(`seed ${seed}\n${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

main().then(
  (code) => {
    process.stdout.write("", () => process.exit(code));
  },
  (error: unknown) => {
    process.stderr.write(`polaris: ${describe(error)}\n`);
    process.exit(1);
  },
);
