// The local stack: Convex host, control plane, model, Firecrawl and Sentry as processes of their own, the
// official Trigger.dev CLI on top, a seeded project to talk about. Everything it starts ends with it.
// It composes; what the services do stands in their own folders.

import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type App, type AppMode, freePort, startApp } from "../app/index.ts";
import { type Cli, removeTraces } from "../control-plane/cli.ts";
import { startStackCli } from "./cli.ts";
import { environment } from "./environment.ts";
import { readPorts, writePorts } from "./ports.ts";
import { type Repairs, startRepairs } from "./repairs.ts";
import { type Seeded, seed } from "./seed.ts";
import {
  APP_SERVICES,
  appSettings,
  DESCRIPTIONS,
  realService,
  SERVICE_NAMES,
  type ServiceName,
  type Settings,
  settingsOf,
} from "./services.ts";
import { type SignInKeys, signInKeys } from "./sign-in.ts";
import { StandIn } from "./stand-in.ts";

export type Part = ServiceName | "cli" | "app";

export interface StackOptions {
  /** Folder for everything the stack keeps. */
  state: string;
  /** The CLI's branch: two stacks of one checkout need two. Absent: the CLI's own default. */
  branch?: string;
  /** Without the CLI no task runs; some tests need only the services. Default: true. */
  cli?: boolean;
  /** Folder with the `trigger.config.ts` whose tasks run. Default: this repository. */
  tasks?: string;
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
  /** The app too: as a developer or a team would start it. Default: without. */
  app?: AppMode;
  /** Where the app is to be; another is taken if somebody has it. Default: any free one. */
  appPort?: number;
  /** For the app alone, beside its own variables. */
  appEnv?: Readonly<Record<string, string>>;
  /**
   * Called as soon as the app serves its pages. The CLI, which takes longest and which nobody waits for
   * before they have sent something, is started after that. Absent: both at once.
   */
  onApp?: (stack: Stack) => void;
  /** Only these stand-ins (a test may need one alone). Default: all. */
  only?: readonly ServiceName[];
}

export interface TableRow {
  service: string;
  real: boolean;
  /** The variable that makes the service real, or did; empty for what is always ours. */
  variable: string;
  url: string;
}

export interface Stack {
  readonly state: string;
  /** What workers, the app and the commands get. */
  readonly env: Readonly<Record<string, string>>;
  /** Beside `env`, what only the app gets. */
  readonly appEnv: Readonly<Record<string, string>>;
  readonly app: App | undefined;
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
  /**
   * Takes over what other settings say of the model, whose keys only workers have: the workers are
   * started again, nothing else is. Returns whether anything changed.
   */
  useModel(settings: Settings): Promise<boolean>;
  /** Looks for messages whose run is dead and gives them their final status. */
  repair(): Promise<void>;
  close(): Promise<void>;
}

export const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const STAND_INS_FILE = "stand-ins.json";
const RESTART_PAUSE_MS = 1_000;

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
  appEnv: Readonly<Record<string, string>> = {};
  seeded: Seeded | undefined;
  cli: Cli | undefined;
  app: App | undefined;

  readonly #options: StackOptions;
  #settings: Settings;
  readonly #names: readonly ServiceName[];
  readonly #standIns = new Map<ServiceName, StandIn>();
  #repairs: Repairs | undefined;
  #signIn: SignInKeys | undefined;
  #closing: Promise<void> | undefined;
  #appPort: number;

  constructor(options: StackOptions) {
    this.#options = options;
    this.state = resolve(options.state);
    this.#settings = options.settings ?? {};
    this.#names = options.only ?? SERVICE_NAMES;
    this.#appPort = options.appPort ?? 0;
  }

  get #tasks(): string {
    return this.#options.tasks ?? REPOSITORY;
  }

  async launch(): Promise<void> {
    await mkdir(this.state, { recursive: true, mode: 0o700 });
    const ports = await readPorts(this.state);
    this.#signIn = await signInKeys(this.state);
    for (const name of this.#names) {
      if (realService(name, this.#settings) === undefined) this.#prepare(name, ports[name] ?? 0);
    }
    await Promise.all([...this.#standIns.values()].map((standIn) => standIn.start()));
    const used = [...this.#standIns].map(([name, standIn]) => [name, standIn.port] as const);
    await writePorts(this.state, { ...ports, ...Object.fromEntries(used) });
    for (const name of this.#names) this.table.push(this.#rowOf(name));
    this.#setEnvironment();
    const { CONVEX_URL: convexUrl, POLARIS_CONVEX_INTERNAL_KEY: internalKey } = this.env;
    // A real deployment gets no demo project: it belongs to somebody.
    if (this.#standIns.has("convex") && convexUrl !== undefined && internalKey !== undefined) {
      this.seeded = await seed(this.state, convexUrl, internalKey);
    }
    this.appEnv = this.#appEnvironment();
    await this.#noteStandIns();
    const app = this.#launchApp();
    app.catch(() => undefined);
    const { cli = true, onApp } = this.#options;
    if (onApp !== undefined) {
      await app;
      onApp(this);
    }
    await Promise.all([app, cli ? this.#launchCli() : undefined]);
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
    if (part === "app") {
      const app = this.app;
      this.app = undefined;
      return await app?.kill();
    }
    if (part !== "cli") return this.#standIn(part).kill();
    const ended = this.cli;
    this.cli = undefined;
    await ended?.kill("SIGKILL");
  }

  async start(part: Part): Promise<void> {
    if (part === "cli") await this.#launchCli();
    else if (part === "app") await this.#launchApp();
    else await this.#standIn(part).start();
    await this.repair();
  }

  async restart(part: Part): Promise<void> {
    await this.kill(part);
    await this.start(part);
  }

  async useModel(settings: Settings): Promise<boolean> {
    const given = settingsOf("model", settings);
    const before = settingsOf("model", this.#settings);
    if (JSON.stringify(given) === JSON.stringify(before)) return false;
    const others = Object.entries(this.#settings).filter(([name]) => before[name] === undefined);
    this.#settings = { ...Object.fromEntries(others), ...given };
    const standIn = this.#standIns.get("model");
    if (realService("model", this.#settings) !== undefined) {
      this.#standIns.delete("model");
      await standIn?.close();
    } else if (standIn === undefined) {
      this.#prepare("model", (await readPorts(this.state)).model ?? 0);
      await this.#standIn("model").start();
    }
    const row = this.#rowOf("model");
    const known = this.table.find(({ service }) => service === row.service);
    if (known !== undefined) Object.assign(known, row);
    this.#setEnvironment();
    await this.#noteStandIns();
    if (this.cli !== undefined) {
      const ended = this.cli;
      this.cli = undefined;
      await ended.close();
      await this.#launchCli();
    }
    return true;
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
    // These first: what they have to say goes to services that still listen.
    await Promise.all([this.cli?.close(), this.app?.close()]);
    // Of CLIs that were killed.
    removeTraces(this.#tasks, this.#options.branch);
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
      ...(name === "convex" ? { env: this.#tokensOf() } : {}),
    });
    this.#standIns.set(name, standIn);
  }

  /** Whose tokens the local Convex host believes. */
  #tokensOf(): Record<string, string> {
    const { NEXT_PUBLIC_STACK_PROJECT_ID: projectId, STACK_API_URL: apiUrl } = this.#settings;
    if (projectId === undefined) return { POLARIS_LOCAL_AUTH_JWKS: this.#signIn?.jwks ?? "" };
    return {
      STACK_PROJECT_ID: projectId,
      ...(apiUrl === undefined ? {} : { STACK_API_URL: apiUrl }),
    };
  }

  #appEnvironment(): Record<string, string> {
    return {
      ...appSettings(this.#settings),
      POLARIS_STAND_INS_FILE: join(this.state, STAND_INS_FILE),
      POLARIS_LOCAL_AUTH_KEY: this.#signIn?.privateKey ?? "",
      // This installation made the key: also a production build may believe it here.
      POLARIS_LOCAL_AUTH: "allowed",
      ...this.#options.appEnv,
    };
  }

  /** For the page, which names them; the file says it anew when one became real. */
  async #noteStandIns(): Promise<void> {
    const rows = new Map<string, string>();
    for (const { service, real, variable } of this.table) {
      if (!real) rows.set(service, variable);
    }
    for (const { title, variable } of APP_SERVICES) {
      if (this.#settings[variable] === undefined) rows.set(title, variable);
    }
    const standIns = [...rows].map(([service, variable]) => ({ service, variable }));
    const path = join(this.state, STAND_INS_FILE);
    const draft = `${path}.${process.pid}`;
    await writeFile(draft, `${JSON.stringify(standIns)}\n`);
    await rename(draft, path);
  }

  #rowOf(name: ServiceName): TableRow {
    const real = realService(name, this.#settings);
    const { title, variables, suggested = variables[0] } = DESCRIPTIONS[name];
    return {
      service: title,
      real: real !== undefined,
      variable: real?.because ?? suggested ?? "",
      url: real?.url ?? this.#standIns.get(name)?.info.url ?? "",
    };
  }

  #setEnvironment(): void {
    const { env: more = {} } = this.#options;
    this.env = { ...environment(this.#standIns, this.#names, this.#settings), ...more };
  }

  async #launchApp(): Promise<void> {
    const { app: mode } = this.#options;
    if (mode === undefined || this.app !== undefined || this.#closing !== undefined) return;
    const port = await freePort(this.#appPort);
    if (this.#appPort !== 0 && port !== this.#appPort) {
      this.#log("app", `port ${this.#appPort} is taken, choosing another`);
    }
    const app = await startApp({
      mode,
      port,
      env: { ...this.env, ...this.appEnv },
      log: (line) => this.#log("app", line),
    });
    if (this.#closing !== undefined) return app.close();
    this.app = app;
    this.#appPort = app.port;
    this.#noteApp(app.url);
    void app.exited.then(({ code, signal }) => {
      if (this.app !== app || this.#closing !== undefined) return;
      this.app = undefined;
      this.#log("app", `ended unexpectedly (${signal ?? `exit code ${code}`})`);
      if (this.#options.supervise === true) this.#relaunch("app", () => this.#launchApp());
    });
  }

  #noteApp(url: string): void {
    const known = this.table.find(({ service }) => service === "App");
    if (known !== undefined) {
      known.url = url;
      return;
    }
    const given = appSettings(this.#settings);
    for (const { title: service, variable, standIn, url: urlOf } of APP_SERVICES) {
      const real = given[variable] !== undefined;
      this.table.push({ service, real, variable, url: real ? urlOf(given) : standIn });
    }
    this.table.push({ service: "App", real: true, variable: "", url });
  }

  async #launchCli(): Promise<void> {
    if (this.cli !== undefined || this.#closing !== undefined) return;
    const { branch } = this.#options;
    const started = await startStackCli({
      cwd: this.#tasks,
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
      if (this.#options.supervise === true) this.#relaunch("cli", () => this.#launchCli());
    });
  }

  #relaunch(part: Part, launch: () => Promise<void>): void {
    setTimeout(() => {
      launch().then(
        () => this.repair(),
        (error: unknown) => {
          this.#log(part, error instanceof Error ? error.message : String(error));
          if (this.#closing === undefined) this.#relaunch(part, launch);
        },
      );
    }, RESTART_PAUSE_MS);
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
