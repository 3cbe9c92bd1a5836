// The model and the store of one case: the model tells a turn with two files and a turn without, at a
// steady pace; the store is the product's own message functions, with the fate that the case says.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ConvexError } from "convex/values";
import { Random } from "../crash/random.ts";
import { Store } from "../soak/store.ts";
import type { Case } from "./cases.ts";

export const DELTA_MS = 10;
const QUERIES = /^(get|read|list)/;

export class Servers {
  readonly store = new Store();
  /** Turns that the model was asked for, by message. */
  readonly asked = new Map<string, number[]>();
  faults = 0;
  readonly #case: Case;
  readonly #random: Random;
  readonly #servers: Server[] = [];
  readonly #streams = new Set<() => boolean>();
  #clock: NodeJS.Timeout | undefined;
  #halfAt: number | undefined;

  private constructor(one: Case, seed: number) {
    this.#case = one;
    this.#random = new Random(seed);
  }

  static async start(
    one: Case,
    seed: number,
  ): Promise<Servers & { convex: string; model: string }> {
    const servers = new Servers(one, seed);
    const [convex, model] = await Promise.all([
      servers.#listen((request, response) => servers.#serveStore(request, response)),
      servers.#listen((request, response) => servers.#serveModel(request, response)),
    ]);
    servers.#clock = setInterval(() => {
      for (const step of servers.#streams) if (!step()) servers.#streams.delete(step);
    }, DELTA_MS);
    return Object.assign(servers, { convex, model: `${model}/v1` });
  }

  async close(): Promise<void> {
    clearInterval(this.#clock);
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((settle) => server.close(settle));
    }
  }

  async #serveStore(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const name = String(body.path).replace(/^system:/, "");
    const args = (body.args as Record<string, unknown>[])[0] ?? {};
    const since = this.#halfAt === undefined ? -1 : Date.now() - this.#halfAt;
    const fate = this.#case.fate(this.#random, since);
    if (fate !== "answered") this.faults++;
    if (fate === "gone") return void request.socket.destroy();
    if (typeof fate === "object") {
      return json(response, fate.status, { code: "Overloaded", message: "busy" });
    }
    const { writeMs } = this.#case;
    if (writeMs > 0 && !QUERIES.test(name)) await new Promise((go) => setTimeout(go, writeMs));
    try {
      const value = await this.store.call(name, args);
      if (fate === "lost") return void request.socket.destroy();
      json(response, 200, { status: "success", value: value ?? null });
    } catch (error) {
      const errorMessage = error instanceof Error ? error.message : String(error);
      const data = error instanceof ConvexError ? { errorData: error.data } : {};
      json(response, 200, { status: "error", errorMessage, ...data });
    }
  }

  async #serveModel(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const history = body.messages as { role: string; content: string }[];
    const user = history.findLast(({ role }) => role === "user")?.content ?? "";
    const isFirst = this.#case.tools && !history.some(({ role }) => role === "tool");
    const turn = isFirst ? 1 : 2;
    this.asked.set(user, [...(this.asked.get(user) ?? []), turn]);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (delta: object, finish_reason: string | null = null): void => {
      const choices = [{ index: 0, delta, finish_reason }];
      response.write(`data: ${JSON.stringify({ id: "c", choices })}\n\n`);
    };
    const deltas = deltasOf(user, turn, this.#case.deltas);
    let sent = 0;
    this.#streams.add(() => {
      if (response.destroyed) return false;
      const delta = deltas[sent++];
      if (delta !== undefined) {
        if (sent * 2 >= deltas.length) this.#halfAt ??= Date.now();
        send({ content: delta });
        return true;
      }
      const files = turn === 1 ? Object.entries(filesOf(user)) : [];
      for (const [index, [path, content]] of files.entries()) {
        const call = { name: "writeFile", arguments: JSON.stringify({ path, content }) };
        send({ tool_calls: [{ index, id: `call_${index}`, type: "function", function: call }] });
      }
      send({}, turn === 1 ? "tool_calls" : "stop");
      response.end("data: [DONE]\n\n");
      return false;
    });
  }

  async #listen(
    serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  ): Promise<string> {
    const server = createServer((request, response) => {
      serve(request, response).catch(() => response.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}

const WORDS = ["Nordstern ", "größer ", "完成 ", "🎉 ", "line\n", "e\u0301 "];

function deltasOf(user: string, turn: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${user}.${turn}.${i} ${WORDS[i % WORDS.length]}`);
}

export function textOf(user: string, { deltas, tools }: Case): string {
  const first = tools ? deltasOf(user, 1, deltas) : [];
  return [...first, ...deltasOf(user, 2, deltas)].join("");
}

export function filesOf(user: string): Record<string, string> {
  return { "src/a.ts": `a of ${user}`, "src/b.ts": `b of ${user} 🎉` };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString("utf8") || "{}");
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}
