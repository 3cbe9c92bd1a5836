// Asks the tools about the corpus as a model would: a run of the job `agent` whose model makes one call
// after the other.

import { statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type Event, startRun } from "polaris-agent";
import { startModelServer, useModel } from "../addon/model-server.ts";
import { CORPUS } from "./corpus.ts";

export interface Call {
  tool: string;
  args: Record<string, unknown>;
}

const CALLS_PER_TURN = 100;
const UNTYPED = /without type information|syntax only/;
const PASSES = /it is still starting|it took too long/;

/** Why there are no answers with types: a worker of root confines the server to an ordinary user. */
export const HIDDEN =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  foldersAbove(fileURLToPath(import.meta.url)).some(
    (path) => (statSync(path).mode & 0o001) === 0,
  ) &&
  "this folder is for root alone, and the language server is an ordinary user's";

function foldersAbove(path: string): string[] {
  const above = dirname(path);
  return above === path ? [] : [above, ...foldersAbove(above)];
}

/**
 * The answers, in the order of the calls. With types, what was answered before the language server had
 * started is asked again.
 */
export async function ask(calls: readonly Call[], types: boolean): Promise<string[]> {
  const answers: (string | undefined)[] = calls.map(() => undefined);
  let asked: number[] = [];
  let round = 0;
  const server = await startModelServer((exchange) => {
    const told = exchange.request.messages
      .filter(({ role }) => role === "tool")
      .slice(-asked.length);
    for (const [n, at] of asked.entries()) {
      const text = told[n]?.content ?? "";
      if (!types || !PASSES.test(text)) answers[at] = text;
    }
    asked = calls
      .flatMap((_, at) => (answers[at] === undefined ? [at] : []))
      .slice(0, CALLS_PER_TURN);
    round += 1;
    if (asked.length === 0) {
      exchange.text("Done.").finish();
      return;
    }
    for (const [n, at] of asked.entries()) {
      const { tool, args } = calls[at] as Call;
      // A call that is repeated word for word is taken for a loop.
      const path =
        typeof args.path === "string" ? { path: `${"./".repeat(round)}${args.path}` } : {};
      exchange.toolCall(n, `call_${round}_${n}`, tool, { ...args, ...path });
    }
    exchange.finish("tool_calls");
  });
  useModel(server.url);
  if (types) delete process.env.POLARIS_TYPESCRIPT_PATH;
  else process.env.POLARIS_TYPESCRIPT_PATH = "off";
  try {
    const run = startRun({
      job: "agent",
      payload: { messages: [{ role: "user", content: "go" }], files: { ...CORPUS } },
      options: {
        limits: { maxSteps: 1_000, maxToolResultBytes: 1 << 20, maxAnswerBytes: 64 << 20 },
      },
    });
    const events: Event[] = [];
    for await (const event of run.events()) events.push(event);
    await run.result();
    return answers.map((answer = "", at) =>
      calls[at]?.args.path === undefined ? answer : answer.replace(/(?<=^|[ \n])(?:\.\/)+/g, ""),
    );
  } finally {
    delete process.env.POLARIS_TYPESCRIPT_PATH;
    await server.close();
  }
}

export function hasTypes(answer: string): boolean {
  return !UNTYPED.test(answer);
}
