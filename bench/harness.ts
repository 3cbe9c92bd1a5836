// Starts the bench server and, one after the other, the measured processes. Knows no metric: a plan
// goes in, what the process measured of itself comes out. Leaves nothing running.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** A measurement that takes longer hangs. The longest is a stream of 200 s into a slow store. */
const MEASUREMENT_MS = 600_000;
/** What a developer's shell may hold that would change what is measured. */
const NOT_PASSED_ON =
  /^(POLARIS_|CONVEX_|NEXT_PUBLIC_|OPENROUTER_|CEREBRAS_|NODE_OPTIONS$)|_PROXY$/i;

export type ClientName =
  | "ours"
  | "ours-each"
  | "ai-anthropic"
  | "ai-compatible"
  | "openai"
  | "raw-fetch"
  | "floor"
  | "bare"
  | "ours-store"
  | "replaced-store";

/** What one process does; see bench/child.mjs. */
export interface Plan {
  client: ClientName;
  scenario: string;
  streams?: number;
  repeat?: number;
  warmup?: string;
  warmups?: number;
  /** How long the store takes for a write. */
  writeMs?: number;
  /** Over TLS, with a certificate that the process is told to trust. */
  tls?: boolean;
}

/** What a process measured. Absent: it has no such thing (the floor has no event loop). */
export interface Sample {
  client: ClientName;
  cpuMs: number;
  wallMs: number;
  deltas: number;
  peakRssBytes: number;
  lagMs: number | null;
  /** To the first text of the first request of the process. */
  firstMs: number;
  /** To the first text, median of the measured requests. */
  warmMs: number;
  /** What arrived is what was sent. A process where it is not fails. */
  exact: boolean;
  /** From the start of the process to the last model request that it made. */
  startToRequestMs: number;
  /** Into the store: request bodies, and the text that they carried. */
  bytes: number;
  textBytes: number;
  mutations: number;
}

export interface Programs {
  /** The folder with polaris-bench-server, polaris-bench-floor and polaris-sandbox. */
  binaries: string;
  /** The addon to measure; undefined: the one that the package finds. */
  addon?: string | undefined;
}

export interface Harness {
  readonly url: string;
  /** As in `Programs`. */
  readonly addon?: string | undefined;
  /** The folder with the programs. */
  readonly binaries: string;
  measure(plan: Plan): Promise<Sample>;
  close(): Promise<void>;
}

export async function startHarness({ binaries, addon }: Programs): Promise<Harness> {
  const running = new Set<ChildProcess>();
  const killAll = () => {
    for (const child of running) child.kill("SIGKILL");
  };
  process.once("exit", killAll);
  const env = environment(addon);

  const start = (
    command: string,
    args: string[],
    stdin: "pipe" | "ignore",
    more: Readonly<Record<string, string>> = {},
  ) => {
    const child = spawn(command, args, {
      env: { ...env, ...more },
      stdio: [stdin, "pipe", "pipe"],
    });
    running.add(child);
    child.once("close", () => running.delete(child));
    return child;
  };

  // It ends with its standard input, so also when this process is killed.
  const server = start(join(binaries, "polaris-bench-server"), [], "pipe");
  const { url, tlsUrl, certificate } = JSON.parse(await firstLine(server)) as Record<
    "url" | "tlsUrl" | "certificate",
    string
  >;
  const folder = mkdtempSync(join(tmpdir(), "polaris-bench-"));
  const trusted = join(folder, "certificate.pem");
  writeFileSync(trusted, certificate);

  return {
    url,
    addon,
    binaries,
    async measure(plan) {
      const [command, args] =
        plan.client === "floor"
          ? [join(binaries, "polaris-bench-floor"), []]
          : [process.execPath, [join(HERE, "child.mjs")]];
      const startedUs = (performance.timeOrigin + performance.now()) * 1000;
      // Without TLS a shell's own setting would cost Node its time at the start.
      const trust = { NODE_EXTRA_CA_CERTS: plan.tls === true ? trusted : "" };
      const base = plan.tls === true ? tlsUrl : url;
      const output = await finished(
        start(command, [...args, base, JSON.stringify(plan)], "ignore", trust),
      );
      const sample = JSON.parse(output) as Sample;
      const model = (await (await fetch(`${url}/model`)).json()) as { lastRequestUs: number };
      sample.startToRequestMs = (model.lastRequestUs - startedUs) / 1000;
      return sample;
    },
    async close() {
      process.off("exit", killAll);
      if (server.exitCode === null && server.signalCode === null) {
        const closed = once(server, "close");
        server.stdin?.end();
        await closed;
      }
      killAll();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function environment(addon: string | undefined): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (NOT_PASSED_ON.test(name)) delete env[name];
  if (addon !== undefined) env.POLARIS_NATIVE_LIBRARY_PATH = addon;
  return env;
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`the bench server ended with code ${code}`)));
    child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
    });
  });
}

/** The output of a measured process; rejects with its errors. */
function finished(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), MEASUREMENT_MS);
    let output = "";
    let errors = "";
    child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      output += part;
    });
    child.stderr?.setEncoding("utf8").on("data", (part: string) => {
      errors += part;
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else reject(new Error(`a measurement ended with ${signal ?? `code ${code}`}:\n${errors}`));
    });
  });
}

/** Names of the clients with the versions that bench/package.json pins. */
export function label(client: ClientName): string {
  const file = join(HERE, "package.json");
  const { dependencies } = JSON.parse(readFileSync(file, "utf8")) as {
    dependencies: Record<string, string>;
  };
  const versioned = (...names: string[]) =>
    names.map((name) => `${name} ${dependencies[name]}`).join(" + ");
  switch (client) {
    case "ours":
    case "ours-store":
      return "polaris-agent";
    case "ours-each":
      return "polaris-agent, every delta";
    case "ai-anthropic":
      return versioned("ai", "@ai-sdk/anthropic");
    case "ai-compatible":
      return versioned("ai", "@ai-sdk/openai-compatible");
    case "openai":
      return versioned("openai");
    case "raw-fetch":
      return `fetch + ${versioned("eventsource-parser")}`;
    case "floor":
      return "bytes-only floor (reqwest)";
    case "bare":
      return "bare Node";
    case "replaced-store":
      return `${versioned("ai", "@ai-sdk/anthropic")}, every write awaited`;
  }
}
