// The local stack: Convex host, control plane, model, Firecrawl and Sentry as processes of their own, the
// official Trigger.dev CLI on top, a seeded project to talk about. Everything it starts ends with it.
// It composes; what the services do stands in their own folders.

import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Cli, removeTraces } from "../control-plane/cli.ts";
import { startStackCli } from "./cli.ts";
import { environment } from "./environment.ts";
import { readPorts, writePorts } from "./ports.ts";
import { type Repairs, startRepairs } from "./repairs.ts";
import { type Seeded, seed } from "./seed.ts";
import {
  DESCRIPTIONS,
  realService,
  SERVICE_NAMES,
  type ServiceName,
  type Settings,
} from "./services.ts";
import { StandIn } from "./stand-in.ts";

export type Part = ServiceName | "cli";

export interface StackOptions {
  /** Folder for everything the stack keeps. */
  state: string;
  /** The CLI's branch: two stacks of one checkout need two. Absent: the CLI's own default. */
  branch?: string;
  /** Without the CLI no task runs; some tests need only the services. Default: true. */
  cli?: boolean;
  /** Real services by their variables. Only `npm start` gives any. */
  settings?: Settings;
  /** Beside the stack's own variables, for the workers. */
  env?: Readonly<Record<string, string>>;
  /** Tokens per second of the scripted model. */
  pace?: number;
  /** Start services again that end unexpectedly, and repair messages from time to time. */
  supervise?: boolean;
  log?: (part: Part | "stack", line: string) => void;
  /** Ends the start, and everything that it has started. */
  signal?: AbortSignal;
  /** Only these stand-ins (a test may need one alone). Default: all. */
  only?: readonly ServiceName[];
}

export interface TableRow {
  service: string;
  real: boolean;
  /** The variable that makes the service real, or did. */
  variable: string;
  url: string;
}

export interface Stack {
  readonly state: string;
  /** What workers, the app and the commands get. */
  readonly env: Readonly<Record<string, string>>;
  readonly table: readonly TableRow[];
  readonly seeded: Seeded | undefined;
  /** URL and admin key of a stand-in, as it is now. */
  admin(name: ServiceName): { url: string; adminKey: string };
  readonly cli: Cli | undefined;
  /** Ends one part as a crash would and leaves it ended. */
  kill(part: Part): Promise<void>;
  /** Starts a part again where it was: same port, same state. */
  start(part: Part): Promise<void>;
  restart(part: Part): Promise<void>;
  /** Looks for messages whose run is dead and gives them their final status. */
  repair(): Promise<void>;
  close(): Promise<void>;
}

export const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const CLI_RESTART_PAUSE_MS = 1_000;

export async function startStack(options: StackOptions): Promise<Stack> {
  const stack = new LocalStack(options);
  const { signal } = options;
  const aborted = new Promise<never>((_, fail) => {
    if (signal?.aborted === true) fail(new Error("interrupted"));
    signal?.addEventListener("abort", () => fail(new Error("interrupted")), { once: true });
  });
  aborted.catch(() => undefined);
  const launching = stack.launch();
  launching.catch(() => undefined);
  try {
    await Promise.race([launching, aborted]);
    return stack;
  } catch (error) {
    await stack.close();
    throw error;
  }
}

class LocalStack implements Stack {
  readonly state: string;
  readonly table: TableRow[] = [];
  env: Readonly<Record<string, string>> = {};
  seeded: Seeded | undefined;
  cli: Cli | undefined;

  readonly #options: StackOptions;
  readonly #settings: Settings;
  readonly #names: readonly ServiceName[];
  readonly #standIns = new Map<ServiceName, StandIn>();
  #repairs: Repairs | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: StackOptions) {
    this.#options = options;
    this.state = resolve(options.state);
    this.#settings = options.settings ?? {};
    this.#names = options.only ?? SERVICE_NAMES;
  }

  async launch(): Promise<void> {
    await mkdir(this.state, { recursive: true, mode: 0o700 });
    const ports = await readPorts(this.state);
    for (const name of this.#names) {
      if (realService(name, this.#settings) === undefined) this.#prepare(name, ports[name] ?? 0);
    }
    await Promise.all([...this.#standIns.values()].map((standIn) => standIn.start()));
    const used = [...this.#standIns].map(([name, standIn]) => [name, standIn.port] as const);
    await writePorts(this.state, { ...ports, ...Object.fromEntries(used) });

    for (const name of this.#names) {
      const real = realService(name, this.#settings);
      const { title, variables } = DESCRIPTIONS[name];
      this.table.push({
        service: title,
        real: real !== undefined,
        variable: real?.because ?? variables[0] ?? "",
        url: real?.url ?? this.#standIns.get(name)?.info.url ?? "",
      });
    }
    const { env: more = {} } = this.#options;
    this.env = { ...environment(this.#standIns, this.#names, this.#settings), ...more };
    const { CONVEX_URL: convexUrl, POLARIS_CONVEX_INTERNAL_KEY: internalKey } = this.env;
    // A real deployment gets no demo project: it belongs to somebody.
    if (this.#standIns.has("convex") && convexUrl !== undefined && internalKey !== undefined) {
      this.seeded = await seed(this.state, convexUrl, internalKey);
    }
    if (this.#options.cli ?? true) await this.#launchCli();
    this.#repairs = startRepairs({
      env: this.env,
      convex: () => (this.#standIns.has("convex") ? this.admin("convex") : undefined),
      periodic: this.#options.supervise ?? false,
      log: (line) => this.#log("stack", line),
    });
    await this.repair();
  }

  admin(name: ServiceName): { url: string; adminKey: string } {
    const { url, adminKey } = this.#standIn(name).info;
    return { url, adminKey: typeof adminKey === "string" ? adminKey : "" };
  }

  async kill(part: Part): Promise<void> {
    if (part !== "cli") return this.#standIn(part).kill();
    const ended = this.cli;
    this.cli = undefined;
    await ended?.kill("SIGKILL");
  }

  async start(part: Part): Promise<void> {
    if (part === "cli") await this.#launchCli();
    else await this.#standIn(part).start();
    await this.repair();
  }

  async restart(part: Part): Promise<void> {
    await this.kill(part);
    await this.start(part);
  }

  async repair(): Promise<void> {
    await this.#repairs?.now();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#repairs?.stop();
    // The CLI first: what it has to say goes to services that still listen.
    await this.cli?.close();
    // Of CLIs that were killed.
    removeTraces(REPOSITORY, this.#options.branch);
    await Promise.all([...this.#standIns.values()].map((standIn) => standIn.close()));
  }

  #prepare(name: ServiceName, port: number): void {
    const { pace } = this.#options;
    const standIn = new StandIn({
      name,
      state: this.state,
      port,
      supervise: this.#options.supervise ?? false,
      log: (line) => this.#log(name, line),
      onRestarted: () => void this.repair(),
      ...(name === "model" && pace !== undefined ? { args: ["--pace", String(pace)] } : {}),
    });
    this.#standIns.set(name, standIn);
  }

  async #launchCli(): Promise<void> {
    if (this.cli !== undefined || this.#closing !== undefined) return;
    const { branch } = this.#options;
    const started = await startStackCli({
      cwd: REPOSITORY,
      home: join(this.state, "home"),
      env: this.env,
      controlPlane: this.#standIns.get("control-plane"),
      log: (line) => this.#log("cli", line),
      ...(branch === undefined ? {} : { branch }),
    });
    // Closed while it was starting: it must not stay.
    if (this.#closing !== undefined) return started.close();
    this.cli = started;
    void started.exited.then(({ code, signal }) => {
      // `kill` and `close` say beforehand that they end it.
      if (this.cli !== started || this.#closing !== undefined) return;
      this.cli = undefined;
      this.#log("cli", `ended unexpectedly (${signal ?? `exit code ${code}`})`);
      if (this.#options.supervise === true) this.#relaunchCli();
    });
  }

  #relaunchCli(): void {
    setTimeout(() => {
      this.#launchCli().then(
        () => this.repair(),
        (error: unknown) => {
          this.#log("cli", error instanceof Error ? error.message : String(error));
          if (this.#closing === undefined) this.#relaunchCli();
        },
      );
    }, CLI_RESTART_PAUSE_MS);
  }

  #standIn(name: ServiceName): StandIn {
    const standIn = this.#standIns.get(name);
    if (standIn === undefined) throw new Error(`this stack has no stand-in for ${name}`);
    return standIn;
  }

  #log(part: Part | "stack", line: string): void {
    this.#options.log?.(part, line);
  }
}
