// One stack for all killed runs: the gate in front of its Convex host, workers that announce their
// runs, and logs that are followed once. A run of it has a project, a conversation and a user text of
// its own, so that many can go on side by side.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { TriggerClient } from "@trigger.dev/sdk";
import { ConvexHttpClient } from "convex/browser";
import { api } from "../../app/convex/_generated/api.js";
import * as messages from "../../app/src/server/messages.ts";
import { type Cli, startCli } from "../../local/control-plane/cli.ts";
import { type ControlPlane, startControlPlane } from "../../local/control-plane/index.ts";
import type { CallEntry } from "../../local/convex/server/call-log.ts";
import { ModelAdmin } from "../../local/model/client.ts";
import type { LogEntry } from "../../local/model/log.ts";
import { REPOSITORY, type Stack, startStack } from "../../local/stack/index.ts";
import { readPorts } from "../../local/stack/ports.ts";
import type { RunEvent } from "../end-to-end/fixtures/servers.ts";
import { Feed } from "./feed.ts";
import { Gate, type GateCall, type Watch } from "./gate.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { Workers } from "./workers.ts";

export interface LabOptions {
  state: string;
  branch: string;
  signal: AbortSignal;
  log: (line: string) => void;
}

/** A message of the lab, from its sending to its end. */
export interface Subject {
  scenario: Scenario;
  projectId: string;
  conversationId: string;
  messageId: string;
  runId: string;
  text: string;
  /** What the workers called, in order. */
  calls: readonly GateCall[];
  /** Entries of the host's log up to here are of the preparation. */
  since: number;
}

const OWNER = "crash-test";
/** A loaded machine is slow; what hangs is found all the same. */
const FINISHED_MS = 120_000;

export class Lab {
  readonly stack: Stack;
  readonly gate: Gate;
  readonly workers: Workers;
  readonly runs: Feed<RunEvent>;
  readonly store: Feed<CallEntry>;
  readonly #model: ModelAdmin;
  readonly #modelLog: LogEntry[] = [];
  #modelRead: Promise<unknown> = Promise.resolve();
  readonly #convex: ConvexHttpClient;
  readonly #key: string;
  #second: Promise<SecondRunner> | undefined;
  #number = 0;

  private constructor(stack: Stack, gate: Gate, workers: Workers) {
    this.stack = stack;
    this.gate = gate;
    this.workers = workers;
    this.runs = new Feed(() => stack.admin("control-plane"), "events");
    this.store = new Feed(() => stack.admin("convex"), "entries");
    this.#model = new ModelAdmin(stack.admin("model"));
    this.#convex = new ConvexHttpClient(stack.admin("convex").url, { logger: false });
    this.#key = stack.env.POLARIS_CONVEX_INTERNAL_KEY ?? "";
  }

  static async start({ state, branch, signal, log }: LabOptions): Promise<Lab> {
    await mkdir(state, { recursive: true });
    const workers = new Workers(join(state, "announced-runs"));
    // Its port is known before anything calls it: the first calls are the stack's own.
    const gate = await Gate.start(
      async () => `http://127.0.0.1:${(await readPorts(state)).convex ?? 0}`,
    );
    try {
      const stack = await startStack({
        state,
        branch,
        signal,
        env: {
          CONVEX_URL: gate.url,
          NEXT_PUBLIC_CONVEX_URL: gate.url,
          POLARIS_CRASH_ANNOUNCEMENTS: workers.file,
          NODE_OPTIONS: `--require=${join(import.meta.dirname, "announce.cjs")}`,
        },
        log: (part, line) => log(`${part}: ${line}`),
      });
      const { NODE_OPTIONS: _, ...env } = stack.env;
      // What a route would see; its own calls are not the workers'.
      const { url } = stack.admin("convex");
      Object.assign(process.env, env, { CONVEX_URL: url, NEXT_PUBLIC_CONVEX_URL: url });
      const lab = new Lab(stack, gate, workers);
      for (const { name, turns } of SCENARIOS) {
        await lab.#model.script({ match: { contains: `[${name}]` }, by: "position", turns });
      }
      return lab;
    } catch (error) {
      await gate.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.workers.thawAll();
    await this.closeSecond();
    await Promise.all([this.runs.close(), this.store.close()]);
    await this.stack.close();
    await this.gate.close();
  }

  /** A second runner on the services of the lab; it ends with the lab at the latest. */
  second(options: LabOptions, stallMs: number): Promise<SecondRunner> {
    this.#second ??= SecondRunner.start(this, options, stallMs);
    return this.#second;
  }

  async closeSecond(): Promise<void> {
    const runner = await this.#second?.catch(() => undefined);
    this.#second = undefined;
    await runner?.close();
  }

  /** Sends a message; its run waits at the gate until the watch is there. */
  async send(
    scenario: Scenario,
    watchOf: (subject: Subject) => Watch,
    runner?: SecondRunner,
  ): Promise<Subject> {
    const { system } = api;
    const number = ++this.#number;
    const [key, name] = [{ internalKey: this.#key }, `${scenario.name} ${number}`];
    const projectId = await this.#convex.mutation(system.createProject, {
      ...key,
      name,
      ownerId: OWNER,
    });
    for (const [path, content] of Object.entries(scenario.files)) {
      await this.#convex.mutation(system.writeFileByPath, { ...key, projectId, path, content });
    }
    const conversationId = await this.#convex.mutation(system.createConversation, {
      ...key,
      projectId,
      title: name,
    });
    const text = `Run ${number} of [${scenario.name}]`;
    const since = this.store.newest;
    const send = () => messages.send({ conversationId, message: text });
    const { messageId, runId } = await (runner === undefined ? send() : runner.instead(send));
    const subject: Subject = {
      ...{ scenario, projectId, conversationId, messageId, runId, text, since },
      calls: [],
    };
    subject.calls = this.gate.watch({ messageId, projectId }, watchOf(subject));
    return subject;
  }

  release({ messageId, projectId }: Subject): void {
    this.gate.unwatch({ messageId, projectId });
  }

  /** Another run for the same message, as somebody may start on the runner's page. */
  async again({ messageId }: Subject): Promise<string> {
    const { TRIGGER_SECRET_KEY: accessToken = "", TRIGGER_API_URL: baseURL = "" } = this.stack.env;
    const { tasks } = new TriggerClient({ accessToken, baseURL });
    const { id } = await tasks.trigger("process-message", { messageId });
    return id;
  }

  /** The run has ended, with this status. */
  async finished(runId: string, withinMs = FINISHED_MS): Promise<string> {
    const { data } = await this.runs.until(
      `the end of ${runId}`,
      (event) => event.runId === runId && event.type === "finished",
      withinMs,
    );
    return String(data.status);
  }

  attempts(runId: string): number {
    return this.runs.entries.filter(
      (event) => event.runId === runId && event.type === "attempt started",
    ).length;
  }

  async repair({ messageId }: Subject): Promise<void> {
    await messages.repair({ messageId });
  }

  /** Everything that a page could show of it, without ids and times. */
  async outcome({ messageId, projectId }: Subject): Promise<Record<string, unknown>> {
    const [message, files, events] = await Promise.all([
      this.#convex.query(api.system.getMessageById, { internalKey: this.#key, messageId }),
      this.#convex.query(api.system.getAllProjectFiles, { internalKey: this.#key, projectId }),
      this.#table<Record<string, unknown>>("generationEvents"),
    ]);
    const {
      _id,
      _creationTime,
      conversationId,
      projectId: _,
      triggerRunId,
      ...shown
    } = message ?? ({} as NonNullable<typeof message>);
    return {
      message: shown,
      files: files.map(({ updatedAt, ...file }) => file).sort((a, b) => (a.path < b.path ? -1 : 1)),
      // Calls of one turn run side by side: their order is not fixed.
      log: events
        .filter((event) => event.projectId === projectId)
        .map(({ _id, _creationTime, projectId, createdAt, ...event }) => JSON.stringify(event))
        .sort(),
    };
  }

  /** What the host committed for this subject's files and its log, by document. */
  effects({ messageId, projectId, since }: Subject): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { seq, path, ok, documentsChanged } of this.store.entries) {
      if (seq <= since || !ok || !/^system:((write|delete)FileByPath|saveToolCalls)$/.test(path))
        continue;
      if (!documentsChanged.includes(projectId)) continue;
      for (const id of documentsChanged) {
        if (id !== projectId && id !== messageId) counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    }
    return counts;
  }

  /** Commits that changed the message, in order. */
  commits({ messageId }: Subject): CallEntry[] {
    return this.store.entries.filter(
      ({ ok, documentsChanged }) => ok && documentsChanged.includes(messageId),
    );
  }

  /** The host's log, as far as it is now, has been read. */
  async storeRead(): Promise<void> {
    const { url, adminKey } = this.stack.admin("convex");
    const response = await fetch(`${url}/admin/log?since=${Number.MAX_SAFE_INTEGER}`, {
      headers: { "x-polaris-admin": adminKey },
    });
    const { seq } = (await response.json()) as { seq: number };
    if (this.store.newest >= seq) return;
    await this.store.until("the host's log is read", (entry) => entry.seq >= seq, FINISHED_MS);
  }

  /** Which turns the model was asked for, and when. */
  async turnsAsked({ text }: Subject): Promise<{ turn: number; at: number }[]> {
    // One reader after the other: each takes what is new.
    const read = this.#modelRead.then(async () => {
      this.#modelLog.push(...(await this.#model.log(this.#modelLog.at(-1)?.seq ?? 0)));
    });
    this.#modelRead = read.catch(() => undefined);
    await read;
    return this.#modelLog
      .filter(({ type, conversation }) => type === "request" && conversation === text)
      .map(({ source, at }) => ({ turn: Number(/ turn (\d+)$/.exec(source)?.[1]), at }));
  }

  async #table<T>(name: string): Promise<T[]> {
    const { url, adminKey } = this.stack.admin("convex");
    const response = await fetch(`${url}/admin/tables?table=${name}`, {
      headers: { "x-polaris-admin": adminKey },
    });
    return (await response.json()) as T[];
  }
}

/** A second control plane and CLI on the same services, whose runs count as stalled soon. */
export class SecondRunner {
  readonly runs: Feed<RunEvent>;
  readonly #plane: ControlPlane;
  readonly #cli: Cli;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(plane: ControlPlane, cli: Cli) {
    this.#plane = plane;
    this.#cli = cli;
    this.runs = new Feed(() => plane, "events");
  }

  static async start(lab: Lab, options: LabOptions, stallMs: number): Promise<SecondRunner> {
    const plane = await startControlPlane({
      state: join(options.state, "second-control-plane"),
      timeouts: { executing: stallMs, pendingCancel: stallMs },
    });
    try {
      const cli = await startCli({
        cwd: REPOSITORY,
        home: join(options.state, "second-home"),
        branch: options.branch,
        env: lab.stack.env,
        controlPlane: plane,
        onLine: (line) => options.log(`second cli: ${line}`),
      });
      return new SecondRunner(plane, cli);
    } catch (error) {
      await plane.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.runs.close();
    await this.#cli.close();
    await this.#plane.close();
  }

  /** Does this with this runner in place of the stack's: the server code asks the environment. */
  instead<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(async () => {
      const { TRIGGER_API_URL, TRIGGER_SECRET_KEY } = process.env;
      process.env.TRIGGER_API_URL = this.#plane.url;
      process.env.TRIGGER_SECRET_KEY = this.#plane.secretKey;
      try {
        return await work();
      } finally {
        Object.assign(process.env, { TRIGGER_API_URL, TRIGGER_SECRET_KEY });
      }
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
