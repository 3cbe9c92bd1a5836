// One measurement in a process of its own: node bench/child.mjs <base URL> <plan as JSON>. Warms up,
// measures, checks that every byte of text and every file arrived, and prints one line of JSON.
// Plain JavaScript: nothing else may be loaded into what is measured. What came is compared when all is
// measured: what should have come is made by code that V8 would compile meanwhile, on threads of its own.
//
// The plan: { client, scenario, streams, repeat, warmup, warmups } runs `scenario` `repeat` times on
// `streams` streams at once, after `warmups` runs of `warmup`. With `writeMs` it is a message into a
// store whose writes take that long.

import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { expected } from "./peers/scenario.mjs";

const LAG_RESOLUTION_MS = 10;

const CLIENTS = {
  ours: async (base) => (await import("./peers/polaris.mjs")).create({ base, deltas: "coalesced" }),
  "ours-each": async (base) =>
    (await import("./peers/polaris.mjs")).create({ base, deltas: "each" }),
  "ai-anthropic": async (base) => (await import("./peers/ai-anthropic.mjs")).create({ base }),
  "ai-compatible": async (base) => (await import("./peers/ai-compatible.mjs")).create({ base }),
  openai: async (base) => (await import("./peers/openai.mjs")).create({ base }),
  "raw-fetch": async (base) => (await import("./peers/raw-fetch.mjs")).create({ base }),
  "ours-store": async (base) => (await import("./peers/slow-store.mjs")).polaris({ base }),
  "replaced-store": async (base) => (await import("./peers/slow-store.mjs")).replaced({ base }),
};

const [base, planText] = process.argv.slice(2);
const plan = JSON.parse(planText);
const report = plan.client === "bare" ? {} : await measure(plan);
report.client = plan.client;
report.peakRssBytes ??= peakRss();
process.stdout.write(`${JSON.stringify(report)}\n`);

async function measure({ client, scenario, streams = 1, repeat = 1, writeMs, ...warm }) {
  const run = await CLIENTS[client](base);
  if (writeMs !== undefined) return slowStore(run, scenario, writeMs);
  const answers = [];
  let firstMs;
  for (let n = 0; n < (warm.warmups ?? 0); n++) {
    const warmup = warm.warmup ?? scenario;
    const { first, answer } = await timed(run, warmup);
    firstMs ??= first;
    answers.push([warmup, answer]);
  }
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const firsts = [];
  for (let n = 0; n < repeat; n++) {
    const runs = await Promise.all(Array.from({ length: streams }, () => timed(run, scenario)));
    for (const { first, answer } of runs) {
      firsts.push(first);
      answers.push([scenario, answer]);
    }
  }
  const wallMs = performance.now() - begin;
  const { user, system } = process.cpuUsage(cpu);
  lag.disable();
  const peakRssBytes = peakRss();
  for (const [asked, answer] of answers) check(expected(asked), answer, client, asked);
  firsts.sort((a, b) => a - b);
  const warmMs = firsts[firsts.length >> 1];
  return {
    cpuMs: (user + system) / 1000,
    wallMs,
    deltas: expected(scenario).deltas * streams * repeat,
    exact: true,
    lagMs: Math.max(0, lag.max / 1e6 - LAG_RESOLUTION_MS),
    firstMs: firstMs ?? warmMs,
    warmMs,
    peakRssBytes,
  };
}

/** A run, and how long its first text took. */
async function timed(run, scenario) {
  const begin = performance.now();
  let first;
  const answer = await run(scenario, () => {
    first ??= performance.now() - begin;
  });
  return { first, answer };
}

function check(want, { text, files }, client, scenario) {
  const at = `${client}, ${scenario}`;
  if (text !== want.text) {
    throw new Error(
      `${at}: ${text.length} characters came that are not the ${want.text.length} sent`,
    );
  }
  if (files.size !== want.files.size) throw new Error(`${at}: ${files.size} files were written`);
  for (const [path, content] of want.files) {
    if (files.get(path) !== content) throw new Error(`${at}: ${path} is not what was sent`);
  }
}

async function slowStore(run, scenario, writeMs) {
  await run("flat-200", 0);
  const begin = performance.now();
  const account = await run(scenario, writeMs);
  const wallMs = performance.now() - begin;
  const { text, ...sent } = await (await fetch(`${base}/account/${account}`)).json();
  const want = expected(scenario);
  if (text !== want.text)
    throw new Error(`${plan.client}, ${scenario}: the store has another text`);
  if (sent.status !== "completed") throw new Error(`${plan.client}, ${scenario}: ${sent.status}`);
  return { ...sent, wallMs, exact: true, textBytes: Buffer.byteLength(text) };
}

/**
 * The most memory that this program has had. Not `maxRSS`: Linux counts the parent's from before
 * `exec`, too.
 */
function peakRss() {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    if (kib !== undefined) return Number(kib) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}
