// npm run bench [-- names] [--quick] [--runs N] [--json]: measures and prints. With --json the
// documents are all that is on standard output; the tables go to standard error then.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bench, unknownName } from "./bench.ts";
import { type Document, table } from "./report.ts";
import { FULL, QUICK, SUITES } from "./suites.ts";

/** Interleaved rounds, where the command line says nothing else. */
const RUNS = 5;
const QUICK_RUNS = 2;
/** Where scripts/bench.mjs puts the programs. */
const RELEASE = fileURLToPath(new URL("../target/release", import.meta.url));
const ADDON = "polaris-bench.node";

const { values, positionals } = readArguments();
const names = positionals.length > 0 ? positionals : Object.keys(SUITES);
const runs = Number(values.runs ?? (values.quick ? QUICK_RUNS : RUNS));
const problem =
  Number.isInteger(runs) && runs > 0 ? unknownName(names) : "--runs takes a number from 1";
if (problem !== undefined) usage(problem);

const interactive = process.stderr.isTTY;
const documents: Document[] = await bench({
  names,
  runs,
  sizes: values.quick ? QUICK : FULL,
  binaries: RELEASE,
  addon: join(RELEASE, ADDON),
  progress: (line) => process.stderr.write(interactive ? `\r\u001b[K${line}` : `${line}\n`),
  done: (document) => {
    if (interactive) process.stderr.write("\r\u001b[K");
    (values.json ? process.stderr : process.stdout).write(`${table(document)}\n`);
  },
});
if (values.json) {
  const output = documents.length === 1 ? documents[0] : documents;
  process.stdout.write(`${JSON.stringify(output)}\n`);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        runs: { type: "string" },
      },
    });
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

function usage(problem: string): never {
  process.stderr.write(
    `polaris: ${problem}\nusage: npm run bench -- [${Object.keys(SUITES).join("|")} ...] [--quick] [--runs N] [--json]\n`,
  );
  process.exit(2);
}
