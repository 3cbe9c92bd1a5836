// One stand-in service of a stack: its process, its port and its state folder. It can be killed and
// started again, and is then at the same URL with the same keys.

import { createServer } from "node:net";
import { join } from "node:path";
import { type ReadyInfo, type SpawnedService, spawnService } from "../service.ts";
import type { ServiceName } from "./services.ts";

export interface StandInOptions {
  name: ServiceName;
  state: string;
  /** The port of an earlier start; another is taken if somebody else has it now. */
  port: number;
  args?: readonly string[];
  env?: Readonly<Record<string, string | undefined>>;
  /** Start again when it ends without being told to. */
  supervise: boolean;
  log: (line: string) => void;
  /** Called after each start that followed an end. */
  onRestarted?: () => void;
}

const FIRST_RESTART_PAUSE_MS = 250;
const MAX_RESTART_PAUSE_MS = 5_000;
/** A service that ran this long was healthy: the next pause is short again. */
const HEALTHY_MS = 30_000;

export class StandIn {
  readonly #options: StandInOptions;
  #port: number;
  #running: SpawnedService | undefined;
  #starting: Promise<ReadyInfo> | undefined;
  #wanted = false;
  #pauseMs = FIRST_RESTART_PAUSE_MS;
  #info: ReadyInfo | undefined;

  constructor(options: StandInOptions) {
    this.#options = options;
    this.#port = options.port;
  }

  /** The latest ready line. */
  get info(): ReadyInfo {
    if (this.#info === undefined) throw new Error(`${this.#options.name} has not been started`);
    return this.#info;
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  get port(): number {
    return this.#port;
  }

  start(): Promise<ReadyInfo> {
    this.#wanted = true;
    if (this.#running !== undefined) return Promise.resolve(this.info);
    this.#starting ??= this.#launch().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** Ends it the hard way, as a crash would, and leaves it ended. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.#wanted = false;
    await this.#running?.kill(signal);
  }

  async close(): Promise<void> {
    this.#wanted = false;
    await this.#starting?.catch(() => undefined);
    await this.#running?.close();
  }

  async #launch(): Promise<ReadyInfo> {
    const { name, state, args = [], env, log } = this.#options;
    if (this.#port !== 0 && this.#info === undefined && !(await isFree(this.#port))) {
      log(`port ${this.#port} is taken, choosing another`);
      this.#port = 0;
    }
    const service = await spawnService(name, {
      args: ["--port", String(this.#port), "--state", join(state, name), ...args],
      ...(env === undefined ? {} : { env }),
      onLog: log,
    });
    this.#running = service;
    this.#info = service.info;
    this.#port = Number(new URL(service.url).port);
    const startedAt = Date.now();
    void service.exited.then(({ code, signal }) => {
      this.#running = undefined;
      if (!this.#wanted) return;
      log(`ended unexpectedly (${signal ?? `exit code ${code}`})`);
      if (Date.now() - startedAt > HEALTHY_MS) this.#pauseMs = FIRST_RESTART_PAUSE_MS;
      if (this.#options.supervise) this.#startLater();
    });
    return service.info;
  }

  #startLater(): void {
    const pause = this.#pauseMs;
    this.#pauseMs = Math.min(pause * 2, MAX_RESTART_PAUSE_MS);
    setTimeout(() => {
      if (!this.#wanted || this.#running !== undefined) return;
      this.start().then(
        () => {
          this.#options.log(`started again at ${this.info.url}`);
          this.#options.onRestarted?.();
        },
        (error: unknown) => {
          this.#options.log(error instanceof Error ? error.message : String(error));
          if (this.#wanted) this.#startLater();
        },
      );
    }, pause);
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const probe = createServer();
    probe.once("error", () => settle(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => settle(true)));
  });
}
