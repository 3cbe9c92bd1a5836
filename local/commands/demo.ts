// npm run demo: the main jobs without a browser, on a private stack in a throw-away folder, measured
// by the servers. `--json` prints one document and nothing else on stdout; exit code 0 only if all
// that was shown held. Never uses real services.

import { parseArgs } from "node:util";
import { type Stack, startStack } from "../stack/index.ts";
import { cancelPart } from "./demo/cancel.ts";
import { errorPart } from "./demo/error.ts";
import { generatePart } from "./demo/generate.ts";
import { messagePart } from "./demo/message.ts";
import {
  bold,
  codeOf,
  describe,
  dim,
  green,
  onInterrupt,
  privateBranch,
  red,
  throwAwayState,
} from "./lifecycle.ts";

type Part = (
  stack: Stack,
  progress: (line: string) => void,
) => Promise<{ result: object; held: boolean }>;

/** In the order in which they are shown. */
const PARTS: Readonly<Record<string, { title: string; run: Part }>> = {
  message: { title: "one message streamed", run: messagePart },
  cancel: { title: "one message cancelled midway", run: cancelPart },
  generate: { title: "one project generated in nine steps", run: generatePart },
  error: { title: "one failing job", run: errorPart },
};

/** Fast enough not to bore, slow enough that the text grows while it is looked at. */
const PACE_TOKENS_PER_SECOND = 120;

const progress = (line: string): void => {
  process.stderr.write(`${dim(line)}\n`);
};

function chosenParts(only: string | undefined): string[] {
  const known = Object.keys(PARTS);
  if (only === undefined || only === "") return known;
  const names = only.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`there is no demo of ${unknown.join(", ")}; there are: ${known.join(", ")}`);
  }
  return known.filter((name) => names.includes(name));
}

function summary(name: string, result: object, held: boolean): string {
  const facts = Object.entries(result)
    .filter(([key]) => key !== "text")
    .map(([key, value]) => `${key} ${Array.isArray(value) ? value.length : String(value)}`);
  return `${held ? green("ok    ") : red("FAILED")}  ${bold(name)}  ${facts.join(", ")}`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { only: { type: "string" }, json: { type: "boolean", default: false } },
  });
  const names = chosenParts(values.only);
  const state = await throwAwayState();
  const interrupt = new AbortController();
  let stack: Stack | undefined;
  onInterrupt((signal) => {
    process.exitCode = codeOf(signal);
    interrupt.abort();
    void stack?.close();
  });
  const interrupted = new Promise<never>((_, fail) => {
    interrupt.signal.addEventListener("abort", () => fail(new Error("interrupted")));
  });
  interrupted.catch(() => undefined);
  const document: Record<string, unknown> = { ok: true };
  try {
    progress("Starting a private stack ...");
    stack = await startStack({
      state: state.path,
      branch: privateBranch("demo"),
      pace: PACE_TOKENS_PER_SECOND,
      signal: interrupt.signal,
    });
    Object.assign(process.env, stack.env);
    for (const name of names) {
      const part = PARTS[name];
      if (part === undefined) continue;
      progress(`${name}: ${part.title} ...`);
      try {
        const { result, held } = await Promise.race([part.run(stack, progress), interrupted]);
        document[name] = result;
        if (!held) document.ok = false;
        if (!values.json) process.stdout.write(`${summary(name, result, held)}\n`);
      } catch (error) {
        if (interrupt.signal.aborted) throw error;
        document.ok = false;
        document[name] = { error: describe(error) };
        if (!values.json)
          process.stdout.write(`${red("FAILED")}  ${bold(name)}  ${describe(error)}\n`);
      }
    }
  } finally {
    await stack?.close();
    await state.dispose();
  }
  if (values.json) process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  else process.stdout.write(document.ok === true ? "All held.\n" : "Not everything held.\n");
  return document.ok === true ? 0 : 1;
}

main().then(
  (code) => {
    // Written completely also into a pipe.
    process.stdout.write("", () => process.exit(code));
  },
  (error: unknown) => {
    process.stderr.write(`polaris: ${describe(error)}\n`);
    process.exit(process.exitCode ?? 1);
  },
);
