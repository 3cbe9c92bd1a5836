// A benchmark run: suites by name, their rounds interleaved and shuffled, documents as a result.

import { availableParallelism, cpus } from "node:os";
import {
  type ClientName,
  type Harness,
  type Plan,
  type Programs,
  type Sample,
  startHarness,
} from "./harness.ts";
import type { Document, Round } from "./report.ts";
import { type Sizes, SUITES } from "./suites.ts";

export interface BenchOptions extends Programs {
  names: readonly string[];
  runs: number;
  sizes: Sizes;
  /** Called before each measurement. */
  progress?: (line: string) => void;
  /** Called with each document as soon as it is there. */
  done?: (document: Document) => void;
  /** Who stands in for a client that is not installed. For tests. */
  standIns?: Partial<Record<ClientName, ClientName>>;
}

/** Names that say what is wrong with them; undefined: all are known. */
export function unknownName(names: readonly string[]): string | undefined {
  const name = names.find((name) => !Object.hasOwn(SUITES, name));
  if (name === undefined) return undefined;
  return `there is no benchmark ${JSON.stringify(name)}; there are: ${Object.keys(SUITES).join(" ")}`;
}

export async function bench(options: BenchOptions): Promise<Document[]> {
  const { names, runs, sizes, progress, done, standIns = {} } = options;
  const started = await startHarness(options);
  const standIn = (client: ClientName) => standIns[client] ?? client;
  const harness: Harness = {
    ...started,
    measure: (plan) => started.measure({ ...plan, client: standIn(plan.client) }),
  };
  try {
    const documents: Document[] = [];
    for (const name of names) {
      const suite = SUITES[name];
      if (suite === undefined) throw new Error(unknownName([name]));
      const rounds = <K extends string>(plans: Record<K, Plan>) =>
        interleaved(plans, runs, (key, round) => {
          progress?.(`${name}: round ${round} of ${runs}, ${key}`);
          return harness.measure(plans[key]);
        });
      const results = await suite({ harness, sizes, runs, standIn, rounds });
      const document = { name, runs, environment: environment(), results };
      documents.push(document);
      done?.(document);
    }
    return documents;
  } finally {
    await harness.close();
  }
}

async function interleaved<K extends string>(
  plans: Record<K, Plan>,
  runs: number,
  measure: (key: K, round: number) => Promise<Sample>,
): Promise<Round<K>[]> {
  const rounds: Round<K>[] = [];
  for (let n = 1; n <= runs; n++) {
    const samples = {} as Record<K, Sample>;
    for (const key of shuffled(Object.keys(plans) as K[])) samples[key] = await measure(key, n);
    rounds.push(samples);
  }
  return rounds;
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

function environment(): Document["environment"] {
  return {
    node: process.versions.node,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
  };
}
