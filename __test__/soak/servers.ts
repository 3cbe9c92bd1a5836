// The model and the store of a soak, in a process of their own, so that the memory that is measured is
// the addon's. Ends with the process that started it. Answers are lost after the commit, and calls
// refused, at the rates that it is told.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ConvexError } from "convex/values";
import { Random } from "../crash/random.ts";
import { deltasOf, filesOf, type Plan, TOOL_TEXT } from "./plans.ts";
import { Store } from "./store.ts";

export interface ServerSettings {
  seed: number;
  /** From one delta to the next. */
  deltaMs: number;
  /** Shares of the calls to the store. */
  lostAnswers: number;
  refusals: number;
}

export interface Report {
  messageId: string;
  status: string | undefined;
  content: string;
  code: string | undefined;
  files: Record<string, string>;
  /** The most often that one file was written. */
  writes: number;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as ServerSettings;
const store = new Store();
const random = new Random(settings.seed);
/** Model requests by message, so that a cut answer is whole at the third try. */
const asked = new Map<number, number>();
/** Answers that are being streamed; one clock drives them all. */
const streams = new Set<() => boolean>();
let openRequests = 0;

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString("utf8") || "{}");
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

// ---- the store ----

async function serveStore(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request);
  if (request.url === "/new") return json(response, 200, store.add(String(body.user)));
  if (request.url === "/report") return json(response, 200, report());
  const name = String(body.path).replace(/^system:/, "");
  const args = (body.args as Record<string, unknown>[])[0] ?? {};
  // A person's own calls (they come without a number) are answered.
  const faulty = body.person !== true;
  if (faulty && random.next() < settings.refusals) {
    return json(response, random.next() < 0.5 ? 429 : 503, { code: "Overloaded", message: "busy" });
  }
  try {
    const value = await store.call(name, args);
    if (faulty && random.next() < settings.lostAnswers) return void request.socket.destroy();
    json(response, 200, { status: "success", value: value ?? null });
  } catch (error) {
    const errorMessage = error instanceof Error ? error.message : String(error);
    const data = error instanceof ConvexError ? { errorData: error.data } : {};
    json(response, 200, { status: "error", errorMessage, ...data });
  }
}

function report(): { messages: Report[]; openRequests: number } {
  const messages = [...store.messages.values()].map((message): Report => {
    const { _id, status, content, projectId, toolCalls = [] } = message;
    const error = toolCalls.find(({ id }) => id === "run")?.args.error as
      | { code?: string }
      | undefined;
    const paths = [...(store.files.get(projectId) ?? [])];
    const writes = paths.map(([path]) => store.changes.get(`${projectId}/${path}`) ?? 0);
    return {
      messageId: _id,
      status,
      content,
      code: error?.code,
      files: Object.fromEntries(paths),
      writes: Math.max(0, ...writes),
    };
  });
  return { messages, openRequests };
}

// ---- the model ----

async function serveModel(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request);
  const history = body.messages as { role: string; content: string }[];
  const plan = JSON.parse(history.findLast(({ role }) => role === "user")?.content ?? "") as Plan;
  const times = (asked.get(plan.n) ?? 0) + 1;
  asked.set(plan.n, times);
  if (plan.kind === "refused") {
    return json(response, 401, { error: { message: "no such key", code: 401 } });
  }
  openRequests++;
  response.once("close", () => {
    openRequests--;
  });
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (delta: object, finish_reason: string | null = null): void => {
    const choices = [{ index: 0, delta, finish_reason }];
    response.write(
      `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices })}\n\n`,
    );
  };
  if (plan.kind === "tools" && !history.some(({ role }) => role === "tool")) {
    send({ content: TOOL_TEXT });
    for (const [index, [path, content]] of Object.entries(filesOf(plan)).entries()) {
      const call = { name: "writeFile", arguments: JSON.stringify({ path, content }) };
      send({ tool_calls: [{ index, id: `call_${index}`, type: "function", function: call }] });
    }
    const call = { name: "readFile", arguments: JSON.stringify({ path: "README.md" }) };
    send({ tool_calls: [{ index: 2, id: "call_2", type: "function", function: call }] });
    send({}, "tool_calls");
    return void response.end("data: [DONE]\n\n");
  }
  const deltas = deltasOf(plan);
  const stopAt = Math.floor(deltas.length * plan.share);
  const cut = plan.kind === "cut" && times <= 2;
  let sent = 0;
  const over = (last = ""): false => {
    response.end(last);
    return false;
  };
  streams.add(() => {
    if (response.destroyed) return false;
    if (cut && sent === stopAt) return over();
    if (plan.kind === "broken" && sent === stopAt) {
      response.write(`data: ${JSON.stringify({ error: { code: 400, message: "broken" } })}\n\n`);
      return over("data: [DONE]\n\n");
    }
    const delta = deltas[sent++];
    if (delta !== undefined) {
      send({ content: delta });
      return true;
    }
    send({}, plan.kind === "withheld" ? "content_filter" : "stop");
    return over("data: [DONE]\n\n");
  });
}

// ---- both ----

async function listen(
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    serve(request, response).catch((error: unknown) => {
      process.stderr.write(`soak server: ${String(error)}\n`);
      response.destroy();
    });
  });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 });
  await once(server, "listening");
  return server;
}

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const [convex, model] = await Promise.all([listen(serveStore), listen(serveModel)]);
setInterval(() => {
  for (const step of streams) if (!step()) streams.delete(step);
}, settings.deltaMs);
process.on("disconnect", () => process.exit(0));
process.send?.({ convex: urlOf(convex), model: `${urlOf(model)}/v1` });
