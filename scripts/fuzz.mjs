// npm run fuzz [-- TARGET ...] [--seconds N] [--seed S]: the fuzz targets of fuzz/ one after another,
// with a sanitizer. New inputs are kept under .polaris/fuzz, so a later call goes on from there.

import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { run } from "./process.mjs";
import { main, ROOT, SetupError } from "./setup.mjs";
import { summary } from "./tests.mjs";

const CARGO_FUZZ = "0.13.1";
const FUZZ = join(ROOT, "fuzz");
const STATE = join(ROOT, ".polaris", "fuzz");
/** Longer inputs find nothing that these do not, more slowly. */
const MAX_LENGTH = 4_096;

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  const targets = readdirSync(join(FUZZ, "targets"))
    .filter((name) => name !== "pieces.rs")
    .map((name) => name.replace(/\.rs$/, ""));
  const chosen = positionals.length > 0 ? positionals : targets;
  const unknown = chosen.find((name) => !targets.includes(name));
  if (unknown !== undefined) {
    throw new SetupError(`There is no fuzz target ${unknown}; there are: ${targets.join(", ")}.`);
  }
  const cargoFuzz = await findCargoFuzz();
  // Sanitizers are built into the stable compiler, but hidden behind this.
  const env = { ...process.env, RUSTC_BOOTSTRAP: "1" };
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const target of chosen) {
    const inputs = join(STATE, target);
    mkdirSync(inputs, { recursive: true });
    process.stdout.write(`${target}: ${values.seconds} s, seed ${values.seed}\n`);
    const corpora = [inputs, recordedStreams(target)].filter((folder) => folder !== undefined);
    const options = [
      `-max_total_time=${values.seconds}`,
      `-seed=${values.seed}`,
      `-max_len=${MAX_LENGTH}`,
      `-artifact_prefix=${STATE}/${target}-`,
      "-verbosity=0",
      "-print_final_stats=1",
    ];
    const { code, output, errors } = await run(
      cargoFuzz,
      ["run", target, ...corpora, "--", ...options],
      {
        cwd: FUZZ,
        env,
        quiet: true,
      },
    );
    const units = /number_of_executed_units:\s+(\d+)/.exec(errors + output)?.[1] ?? "?";
    process.stdout.write(`${target}: ${units} inputs, ${code === 0 ? "no failure" : "FAILED"}\n`);
    if (code === 0) counts.passed++;
    else {
      counts.failed++;
      process.stderr.write(`${errors}\n`);
    }
  }
  process.stdout.write(`${summary(counts)}\n`);
  if (counts.failed > 0) process.exitCode = 1;
});

/** Real streams to begin with, for the targets that read them. */
function recordedStreams(target) {
  const folder = process.env.POLARIS_STREAM_CORPUS;
  return folder && existsSync(folder) && target !== "tool_args" ? folder : undefined;
}

async function findCargoFuzz() {
  const root = join(ROOT, ".polaris", "tools");
  const own = join(root, "bin", "cargo-fuzz");
  if (existsSync(own)) return own;
  if ((await run("cargo-fuzz", ["--version"], { quiet: true })).code === 0) return "cargo-fuzz";
  process.stderr.write("polaris: installing cargo-fuzz (cargo): it drives the fuzz targets\n");
  const args = ["install", "cargo-fuzz", "--version", CARGO_FUZZ, "--locked", "--root", root];
  const { code, output, errors } = await run("cargo", args, { quiet: true });
  if (code === 127)
    throw new SetupError("npm run fuzz needs cargo: install Rust from https://rustup.rs.");
  if (code !== 0)
    throw new SetupError(`cargo-fuzz could not be installed.\n${output}${errors}`.trim());
  return own;
}
