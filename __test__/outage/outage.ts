// One case: runs through the addon against a store that is slow, loses answers, is busy or gone. What
// fails in a way that passes gets its next attempt, as the runner would give it.

import { isDeepStrictEqual } from "node:util";
import { PolarisError, startRun } from "polaris-agent";
import type { Case } from "./cases.ts";
import { DELTA_MS, filesOf, Servers, textOf } from "./servers.ts";

export interface Finding {
  problems: string[];
  /** Faults that the store has made. */
  faults: number;
  attempts: number;
  /** Of the slowest run, and what its model needs alone; no assertion is made of them. */
  wallMs: number;
  nominalMs: number;
}

const KEY = "outage-internal-key";
/** As trigger.config.ts says. */
const ATTEMPTS = 3;

export async function outage(one: Case, seed: number): Promise<Finding> {
  const servers = await Servers.start(one, seed);
  Object.assign(process.env, {
    CONVEX_URL: servers.convex,
    POLARIS_CONVEX_INTERNAL_KEY: KEY,
    POLARIS_PRIMARY_BASE_URL: servers.model,
    POLARIS_PRIMARY_MODEL: "outage",
  });
  try {
    const users = Array.from({ length: one.runs }, (_, n) => `m${n}`);
    const ends = await Promise.all(users.map((user) => answer(servers, user)));
    const problems = users.flatMap((user, n) => {
      const { messageId, failed } = ends[n] ?? { messageId: "", failed: "it has no end" };
      const wrong = problemsOf(servers, messageId, user, one);
      return [...(failed === undefined ? [] : [failed]), ...wrong].map(
        (line) => `${user}: ${line}`,
      );
    });
    return {
      problems,
      faults: servers.faults,
      attempts: Math.max(...ends.map(({ attempts }) => attempts)),
      wallMs: Math.max(...ends.map(({ ms }) => ms)),
      nominalMs: (one.tools ? 2 : 1) * one.deltas * DELTA_MS,
    };
  } finally {
    await servers.close();
  }
}

async function answer(servers: Servers, user: string) {
  const messageId = servers.store.add(user);
  const begin = performance.now();
  let failed: string | undefined;
  let number = 0;
  do {
    const attempt = { number: ++number, max: ATTEMPTS };
    const options = { runId: `run_${user}`, attempt };
    const run = startRun({ job: "process-message", payload: { messageId }, options });
    const error = await run.result().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined) failed = undefined;
    else failed = error instanceof PolarisError ? `${error.code}: ${error.message}` : String(error);
    if (!(error instanceof PolarisError && error.retryable)) break;
  } while (number < ATTEMPTS);
  return { messageId, failed, attempts: number, ms: performance.now() - begin };
}

function problemsOf(servers: Servers, messageId: string, user: string, one: Case): string[] {
  const { store } = servers;
  const problems: string[] = [];
  const message = store.messages.get(messageId);
  if (message === undefined) return ["the message is gone"];
  const { status, content, toolCalls = [], projectId } = message;
  const whole = textOf(user, one);
  if (status !== "completed") problems.push(`it is ${status}`);
  if (content !== whole)
    problems.push(`${content.length} units of text instead of ${whole.length}`);
  const files = Object.fromEntries(store.files.get(projectId) ?? []);
  if (!isDeepStrictEqual(files, one.tools ? filesOf(user) : {}))
    problems.push("the files are not exact");
  const calls = toolCalls.map(
    ({ id, result }) => `${id} ${result === undefined ? "open" : "done"}`,
  );
  if (!isDeepStrictEqual(calls, one.tools ? ["call_0 done", "call_1 done"] : []))
    problems.push(`calls: ${calls}`);
  for (const path of Object.keys(filesOf(user))) {
    const lines = servers.store.lines.get(`${projectId}/${path}`)?.size ?? 0;
    // The log is a comfort, and may miss a line; it never has one twice.
    if (lines > 1) problems.push(`${lines} log lines for one write of ${path}`);
  }
  const asked = servers.asked.get(user) ?? [];
  if (asked.filter((turn) => turn === 1).length > 2) problems.push(`turns asked: ${asked}`);
  return problems;
}
