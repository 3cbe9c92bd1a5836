// Many runs in this very process for a while, with cancels and failures at random; afterwards every
// message has its one right end, and nothing of the runs is left.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { Agent, request } from "node:http";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { diagnostics, PolarisError, startRun } from "polaris-agent";
import { CANCELLED_TEXT, FAILURE_TEXT } from "../../app/convex/model/messages.ts";
import { filteredEnv } from "../../local/service.ts";
import { filesOf, type Kind, type Plan, planOf, textOf } from "./plans.ts";
import type { Report, ServerSettings } from "./servers.ts";

export interface SoakOptions {
  seed: number;
  /** At once. */
  runs: number;
  /** How long new runs begin; those under way come to their end. */
  seconds: number;
  signal?: AbortSignal;
  progress?: (line: string) => void;
}

export interface SoakResult {
  messages: number;
  byStatus: Record<string, number>;
  /** Cancelled runs that could not record their end in time. */
  leftToCheck: number;
  problems: string[];
  /** In bytes. */
  rss: { before: number; peak: number; middle: number; late: number; after: number };
  handles: { runs: number; handles: number; files: number; filesBefore: number; requests: number };
}

const DELTA_MS = 200;
const LONGEST_DELTAS = 60;
const FAULTS = { lostAnswers: 0.02, refusals: 0.02 };
const INTERNAL_KEY = "soak-internal-key";
const SAMPLE_MS = 500;
/** What is dropped ends on the addon's own threads, some time after the last result. */
const SETTLED_MS = 20_000;
/** The core keeps an idle connection for 4 s, and looks in that interval. */
const KEPT_MS = 20_000;
const LOOK_MS = 50;
const CONNECTIONS = 16;
const MAX_PROBLEMS = 40;

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { seed, runs, seconds, signal, progress = () => undefined } = options;
  const servers = await startServers({ seed, deltaMs: DELTA_MS, ...FAULTS });
  try {
    Object.assign(process.env, {
      CONVEX_URL: servers.convex,
      POLARIS_CONVEX_INTERNAL_KEY: INTERNAL_KEY,
      POLARIS_PRIMARY_BASE_URL: servers.model,
      POLARIS_PRIMARY_MODEL: "soak",
    });
    const longest = Math.min(LONGEST_DELTAS, Math.max(8, (seconds * 1_000) / DELTA_MS / 2));
    // The first run loads the addon: what it takes is no leak.
    await message(servers, { n: -1, kind: "text", deltas: 4, share: 0.5 });
    collect();
    servers.rest();
    const filesBefore = openFiles();
    const samples: number[] = [];
    const before = process.memoryUsage.rss();
    const sampler = setInterval(() => samples.push(process.memoryUsage.rss()), SAMPLE_MS);
    const until = Date.now() + seconds * 1_000;
    const done = new Map<string, Plan>();
    const problems: string[] = [];
    let next = 0;
    let leftToCheck = 0;
    let told = Date.now();
    const worker = async (): Promise<void> => {
      while (Date.now() < until && signal?.aborted !== true) {
        const plan = planOf(seed, next++, longest);
        try {
          const { messageId, late } = await message(servers, plan);
          done.set(messageId, plan);
          if (late) leftToCheck++;
        } catch (error) {
          problems.push(`${plan.n} (${plan.kind}): ${String(error)}`);
        }
        if (Date.now() - told < 10_000) continue;
        told = Date.now();
        const mib = Math.round(process.memoryUsage.rss() / 2 ** 20);
        progress(`${done.size} messages, ${diagnostics().runs} runs, ${mib} MiB`);
      }
    };
    await Promise.all(Array.from({ length: runs }, worker));
    clearInterval(sampler);
    const { messages, requests } = await settled(servers);
    const byStatus: Record<string, number> = {};
    for (const report of messages) {
      const plan = done.get(report.messageId);
      if (plan === undefined) continue;
      const status = report.status ?? "none";
      byStatus[status] = (byStatus[status] ?? 0) + 1;
      const wrong = problemOf(plan, report);
      if (wrong !== undefined) problems.push(`${plan.n} (${plan.kind}): ${wrong}`);
    }
    const { runs: left, handles } = diagnostics();
    servers.rest();
    const third = Math.floor(samples.length / 3);
    return {
      messages: done.size,
      byStatus,
      leftToCheck,
      problems: problems.slice(0, MAX_PROBLEMS),
      rss: {
        before,
        peak: Math.max(before, ...samples),
        middle: median(samples.slice(third, 2 * third)),
        late: median(samples.slice(2 * third)),
        after: process.memoryUsage.rss(),
      },
      handles: { runs: left, handles, files: await filesLeft(filesBefore), filesBefore, requests },
    };
  } finally {
    await servers.close();
  }
}

/** What is wrong with how a message ended. */
function problemOf(
  plan: Plan,
  { status, content, code, files, writes }: Report,
): string | undefined {
  const whole = textOf(plan);
  const [ends, codes] = ENDS[plan.kind];
  if (!ends.includes(status ?? "")) return `it is ${status} (${code ?? "no code"})`;
  if (status === "completed") {
    if (content !== whole) return `the text is not exact: ${near(content, whole)}`;
    if (!isDeepStrictEqual(files, filesOf(plan))) return "the files are not exact";
  }
  const kept = whole.startsWith(content);
  if (status === "cancelled" && !kept && content !== CANCELLED_TEXT) {
    return `not the beginning of the text: ${near(content, whole)}`;
  }
  if (status === "failed") {
    if (!kept && content !== FAILURE_TEXT) return `not the beginning: ${near(content, whole)}`;
    if (code === undefined || !codes.includes(code)) return `it failed with ${code ?? "no code"}`;
  }
  // A write whose answer was lost is made again, with the same effect.
  if (writes > 4) return `a file was written ${writes} times`;
  return undefined;
}

/** Which ends are right; a cancel may come when all is over. */
const ENDS: Readonly<Record<Kind, [string[], string[]]>> = {
  text: [["completed"], []],
  tools: [["completed"], []],
  cut: [["completed"], []],
  broken: [["failed"], ["MODEL_BAD_REQUEST"]],
  withheld: [["failed"], ["CONTENT_FILTER"]],
  refused: [["failed"], ["MODEL_AUTH"]],
  cancelled: [["cancelled", "completed"], []],
  "cancelled-message": [["cancelled", "completed"], []],
  "cancelled-run": [["cancelled", "completed"], []],
};

function near(actual: string, expected: string): string {
  let same = 0;
  while (same < actual.length && actual[same] === expected[same]) same++;
  return `${actual.length} of ${expected.length} units, the same up to ${same}`;
}

/** Sends one message and sees it through. */
async function message(
  servers: Servers,
  plan: Plan,
): Promise<{ messageId: string; late: boolean }> {
  const messageId = await servers.ask<string>("/new", { user: JSON.stringify(plan) });
  const run = startRun({
    job: "process-message",
    payload: { messageId },
    options: { runId: `run_${plan.n}`, attempt: { number: 1, max: 1 } },
  });
  const person = (name: string): Promise<{ value?: { status?: string } }> =>
    servers.ask("/api/mutation", { path: `system:${name}`, args: [{ messageId }], person: true });
  const stop = async (): Promise<void> => {
    if (plan.kind !== "cancelled-run") await person("cancelMessage");
    if (plan.kind !== "cancelled-message") run.cancel();
  };
  let stopping: Promise<void> | undefined;
  const cancel = plan.kind.startsWith("cancelled")
    ? setTimeout(
        () => {
          stopping = stop();
          stopping.catch(() => undefined);
        },
        plan.share * plan.deltas * DELTA_MS,
      )
    : undefined;
  try {
    // Half of the runs have nobody who listens.
    if (plan.n % 2 === 0) {
      for (let batch = await run.nextBatch(); batch !== null; batch = await run.nextBatch()) {
        // Only taken.
      }
    }
    const code = await run.result().then(
      () => undefined,
      (error: unknown) => (error instanceof PolarisError ? error.code : "UNKNOWN"),
    );
    await stopping;
    // A run that is told to stop has three seconds to record its end. On a machine that is too busy
    // for that, the check of dead runs does it, as here.
    if (plan.kind !== "cancelled-run" || code !== "CANCELLED") return { messageId, late: false };
    const late = (await person("getMessageById")).value?.status === "processing";
    if (late) await person("cancelMessage");
    return { messageId, late };
  } finally {
    clearTimeout(cancel);
  }
}

interface Servers {
  convex: string;
  model: string;
  ask<T>(path: string, body: unknown): Promise<T>;
  /** Lets go of idle connections. */
  rest(): void;
  close(): Promise<void>;
}

async function startServers(settings: ServerSettings): Promise<Servers> {
  const file = fileURLToPath(new URL("./servers.ts", import.meta.url));
  const child: ChildProcess = fork(file, [JSON.stringify(settings)], {
    execArgv: ["--import", import.meta.resolve("tsx")],
    env: filteredEnv(),
    // Ctrl-C is ours to handle: it ends when we let go of it.
    detached: true,
  });
  const early = once(child, "exit").then((): never => {
    throw new Error("the servers of the soak ended before they were ready");
  });
  early.catch(() => undefined);
  const [urls] = (await Promise.race([once(child, "message"), early])) as [
    { convex: string; model: string },
  ];
  // A few connections only: the open files that are counted should be the addon's.
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  return {
    ...urls,
    ask: <T>(path: string, body: unknown) => post<T>(agent, urls.convex + path, body),
    rest: () => agent.destroy(),
    close: async () => {
      const ended = child.exitCode === null ? once(child, "exit") : undefined;
      agent.destroy();
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

function post<T>(agent: Agent, url: string, body: unknown): Promise<T> {
  return new Promise((settle, fail) => {
    const headers = { "content-type": "application/json" };
    const outgoing = request(url, { method: "POST", agent, headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("error", fail);
      answer.on("end", () => settle(JSON.parse(Buffer.concat(parts).toString("utf8")) as T));
    });
    outgoing.on("error", fail);
    outgoing.end(JSON.stringify(body));
  });
}

/** Waits until nothing of the runs is left, or long enough to call what is left a leak. */
async function settled(servers: Servers): Promise<{ messages: Report[]; requests: number }> {
  const until = Date.now() + SETTLED_MS;
  for (;;) {
    collect();
    const found = await servers.ask<{ messages: Report[]; openRequests: number }>("/report", {});
    const { runs, handles } = diagnostics();
    const isLeft = runs + handles + found.openRequests > 0;
    if (!isLeft || Date.now() > until) {
      return { messages: found.messages, requests: found.openRequests };
    }
    await new Promise((settle) => setTimeout(settle, LOOK_MS));
  }
}

/** Connections are kept for the next run, but not for long: what is open once they are gone. */
async function filesLeft(before: number): Promise<number> {
  const until = Date.now() + KEPT_MS;
  while (openFiles() > before && Date.now() < until) {
    await new Promise((settle) => setTimeout(settle, LOOK_MS));
  }
  return openFiles();
}

function openFiles(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}

function collect(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
