// The command line of `npm run bench`, read before anything is built for it.

import { parseArgs } from "node:util";
import { unknownName } from "./bench.ts";
import { FULL, QUICK, type Sizes, SUITES } from "./suites.ts";

/** Interleaved rounds, where the command line says nothing else. */
const RUNS = 5;
const QUICK_RUNS = 2;

export const USAGE = `usage: npm run bench -- [${Object.keys(SUITES).join("|")} ...] [--quick] [--runs N] [--json]`;

export interface Arguments {
  names: string[];
  runs: number;
  sizes: Sizes;
  json: boolean;
}

/** What is asked for; "help"; or what is wrong. */
export function readArguments(args: string[]): Arguments | "help" | { problem: string } {
  const read = parsed(args);
  if (typeof read === "string") return { problem: read };
  const { values, positionals } = read;
  if (values.help) return "help";
  const names = positionals.length > 0 ? positionals : Object.keys(SUITES);
  const runs = Number(values.runs ?? (values.quick ? QUICK_RUNS : RUNS));
  const problem =
    Number.isInteger(runs) && runs > 0 ? unknownName(names) : "--runs takes a number from 1";
  if (problem !== undefined) return { problem };
  return { names, runs, sizes: values.quick ? QUICK : FULL, json: values.json };
}

/** The arguments of this process; ends it where there is nothing to measure. */
export function argumentsOrExit(): Arguments {
  const read = readArguments(process.argv.slice(2));
  if (read === "help") {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  if (!("problem" in read)) return read;
  process.stderr.write(`polaris: ${read.problem}\n${USAGE}\n`);
  process.exit(2);
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        runs: { type: "string" },
      },
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
