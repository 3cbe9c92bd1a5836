// Stands between the workers and the Convex host, so that a test can act at the exact moment of a
// call: when it has arrived, when the host has answered, when the worker has the answer. It passes
// every call on as it is, unless the test says that it is lost. What it has seen is the test's own
// record of what was committed and acknowledged.

import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A call of one message's run, in the order of arrival. */
export interface GateCall {
  /** The function, and which call of it this is within the message: `appendMessageContent#2`. */
  readonly key: string;
  readonly path: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Which attempt, counted by `beginMessage`. */
  readonly attempt: number;
  /** Which call of this function within its attempt. */
  readonly nth: number;
  /** Set once the host has answered; epoch milliseconds. */
  answeredAt?: number;
  /** What the function gave; absent when it failed or never ran. */
  value?: unknown;
  failed?: string;
  /** The answer has left for the worker. */
  delivered?: true;
}

export type Moment = "arrived" | "answered" | "delivered";

export interface Watch {
  /** `lost` when arrived: never reaches the host; when answered: the answer never leaves. */
  at(moment: Moment, call: GateCall): undefined | "lost" | Promise<undefined | "lost">;
}

interface Owner {
  watch: Watch;
  calls: GateCall[];
  attempts: number;
  counts: Map<string, number>;
}

interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** A run may begin before the test knows its message. */
const UNKNOWN_WAIT_MS = 20_000;

export class Gate {
  readonly url: string;
  readonly #server: ReturnType<typeof createServer>;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #owners = new Map<string, Owner>();
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #target: () => Promise<string>;

  private constructor(
    server: ReturnType<typeof createServer>,
    url: string,
    target: () => Promise<string>,
  ) {
    this.#server = server;
    this.url = url;
    this.#target = target;
  }

  static async start(target: () => Promise<string>): Promise<Gate> {
    const server = createServer();
    await new Promise<void>((settle, fail) => {
      server.once("error", fail);
      server.listen(0, "127.0.0.1", settle);
    });
    const { port } = server.address() as AddressInfo;
    const gate = new Gate(server, `http://127.0.0.1:${port}`, target);
    server.on("request", (incoming: IncomingMessage, response: ServerResponse) => {
      // Whoever asked may be dead by now: nothing to answer then.
      gate.#serve(incoming, response).catch(() => response.destroy());
    });
    return gate;
  }

  async close(): Promise<void> {
    for (const waiting of this.#waiting.values()) for (const go of waiting) go();
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise<void>((settle) => this.#server.close(() => settle()));
  }

  /** Calls of this message and of its project's files go by this watch; they are listed in return. */
  watch(ids: { messageId: string; projectId: string }, watch: Watch): readonly GateCall[] {
    const owner: Owner = { watch, calls: [], attempts: 0, counts: new Map() };
    for (const id of [ids.messageId, ids.projectId]) {
      this.#owners.set(id, owner);
      for (const go of this.#waiting.get(id) ?? []) go();
      this.#waiting.delete(id);
    }
    return owner.calls;
  }

  unwatch(ids: { messageId: string; projectId: string }): void {
    this.#owners.delete(ids.messageId);
    this.#owners.delete(ids.projectId);
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const { path, args } = callIn(body);
    const owner = path.startsWith("system:") ? await this.#ownerOf(path, args) : undefined;
    if (owner === undefined) {
      const reply = await this.#forward(incoming, body);
      send(response, reply);
      return;
    }
    const call = note(owner, path, args);
    if ((await owner.watch.at("arrived", call)) === "lost") return void response.destroy();
    const reply = await this.#forward(incoming, body);
    call.answeredAt = performance.timeOrigin + performance.now();
    takeAnswer(call, reply);
    if ((await owner.watch.at("answered", call)) === "lost") return void response.destroy();
    response.once("finish", () => {
      call.delivered = true;
      void owner.watch.at("delivered", call);
    });
    send(response, reply);
  }

  async #ownerOf(path: string, args: Record<string, unknown>): Promise<Owner | undefined> {
    const id = args.messageId ?? args.projectId;
    if (typeof id !== "string") return undefined;
    const known = this.#owners.get(id);
    // Only a run begins a message; other calls may be anybody's.
    if (known !== undefined || path !== "system:beginMessage") return known;
    await new Promise<void>((settle) => {
      const timer = setTimeout(settle, UNKNOWN_WAIT_MS);
      const go = (): void => {
        clearTimeout(timer);
        settle();
      };
      this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), go]);
    });
    return this.#owners.get(id);
  }

  async #forward(incoming: IncomingMessage, body: Buffer): Promise<Reply> {
    const { hostname, port } = new URL(await this.#target());
    const headers = { ...incoming.headers, host: `${hostname}:${port}` };
    return await new Promise<Reply>((settle, fail) => {
      const { method = "GET", url = "/" } = incoming;
      const options = { hostname, port, method, path: url, headers, agent: this.#agent };
      const outgoing = request(options, (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("error", fail);
        answer.on("end", () => {
          const type = answer.headers["content-type"] ?? "application/json";
          const headers = { "content-type": type };
          settle({ status: answer.statusCode ?? 502, headers, body: Buffer.concat(parts) });
        });
      });
      outgoing.on("error", fail);
      outgoing.end(body);
    });
  }
}

function send(response: ServerResponse, { status, headers, body }: Reply): void {
  response.writeHead(status, { ...headers, "content-length": body.length }).end(body);
}

function callIn(body: Buffer): { path: string; args: Record<string, unknown> } {
  try {
    const { path, args } = JSON.parse(body.toString("utf8")) as { path?: unknown; args?: unknown };
    const given: unknown = Array.isArray(args) ? args[0] : args;
    return { path: typeof path === "string" ? path : "", args: Object(given) };
  } catch {
    return { path: "", args: {} };
  }
}

function note(owner: Owner, path: string, args: Record<string, unknown>): GateCall {
  const name = path.replace(/^system:/, "");
  // Each attempt begins with it, and it goes first: there is no other call beside it.
  if (name === "beginMessage") {
    owner.attempts++;
    owner.counts.clear();
  }
  const nth = (owner.counts.get(name) ?? 0) + 1;
  owner.counts.set(name, nth);
  const call: GateCall = { key: `${name}#${nth}`, path, args, attempt: owner.attempts, nth };
  owner.calls.push(call);
  return call;
}

function takeAnswer(call: GateCall, { body }: Reply): void {
  try {
    const { status, value, errorMessage } = JSON.parse(body.toString("utf8")) as {
      status?: string;
      value?: unknown;
      errorMessage?: string;
    };
    if (status === "success") call.value = value;
    else call.failed = errorMessage ?? body.toString("utf8").slice(0, 200);
  } catch {
    call.failed = body.toString("utf8").slice(0, 200);
  }
}
