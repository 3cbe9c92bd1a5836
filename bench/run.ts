// npm run bench [-- names] [--quick] [--runs N] [--json]: measures and prints. With --json the
// documents are all that is on standard output; the tables go to standard error then.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { argumentsOrExit } from "./arguments.ts";
import { bench } from "./bench.ts";
import { type Document, table } from "./report.ts";

/** Where scripts/bench.mjs puts the programs. */
const RELEASE = fileURLToPath(new URL("../target/release", import.meta.url));
const ADDON = "polaris-bench.node";

const { names, runs, sizes, json } = argumentsOrExit();
const interactive = process.stderr.isTTY;
const documents: Document[] = await bench({
  names,
  runs,
  sizes,
  binaries: RELEASE,
  addon: join(RELEASE, ADDON),
  progress: (line) => process.stderr.write(interactive ? `\r\u001b[K${line}` : `${line}\n`),
  done: (document) => {
    if (interactive) process.stderr.write("\r\u001b[K");
    (json ? process.stderr : process.stdout).write(`${table(document)}\n`);
  },
});
if (json) {
  const output = documents.length === 1 ? documents[0] : documents;
  process.stdout.write(`${JSON.stringify(output)}\n`);
}
