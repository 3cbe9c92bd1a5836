// The scripted model: an OpenAI-compatible server that answers by a test's script or, where none
// matches, by a persona that reads the conversation and works on the project with the tools offered.
// It never looks at the product's own prompt texts, and keeps nothing on disk
// but its admin key.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json, readBody } from "../http.ts";
import { installationKey, type Service, type ServiceOptions } from "../service.ts";
import { handleAdmin } from "./admin.ts";
import { ModelLog, type RequestRecord } from "./log.ts";
import { answer } from "./persona.ts";
import { play } from "./play.ts";
import { isChatRequest, viewOf } from "./request.ts";
import { ScriptBook, ScriptExhausted, type TurnScript } from "./script.ts";

export interface ModelOptions extends ServiceOptions {
  /** Tokens per second of the persona; 0 streams flat out. Default: 60. */
  pace?: number;
  /** What `x-polaris-admin` must carry. Absent: chosen at random. */
  adminKey?: string;
}

export interface ModelService extends Service {
  /** What POLARIS_PRIMARY_BASE_URL is set to. */
  readonly baseUrl: string;
  readonly adminKey: string;
}

const DEFAULT_PACE_TOKENS_PER_SECOND = 60;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

export async function startModel(options: ModelOptions = {}): Promise<ModelService> {
  const adminKey = options.adminKey ?? (await installationKey(options.state, "admin-key"));
  const pace = options.pace ?? DEFAULT_PACE_TOKENS_PER_SECOND;
  const log = new ModelLog();
  const scripts = new ScriptBook();

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const handled = url.pathname.startsWith("/admin/")
      ? handleAdmin({ log, scripts, adminKey, readText }, request, response, url)
      : handlePublic(request, response, url);
    handled.catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      if (response.headersSent) response.destroy();
      else json(response, 500, { error: { message } });
    });
  });
  // A test may hold a stream open for as long as it likes.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;

  async function handlePublic(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<void> {
    if (request.method === "GET" && url.pathname.endsWith("/models")) {
      const data = [{ id: "scripted", object: "model", created: 0, owned_by: "polaris" }];
      return json(response, 200, { object: "list", data });
    }
    if (request.method === "POST" && url.pathname.endsWith("/chat/completions")) {
      return chat(request, response);
    }
    if (request.method === "GET" && url.pathname === "/") {
      response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
      response.end(frontPage(log));
      return;
    }
    json(response, 404, {
      error: { message: `no such endpoint: ${request.method} ${url.pathname}` },
    });
  }

  async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body: unknown;
    try {
      body = JSON.parse(await readText(request));
    } catch {
      return json(response, 400, { error: { code: 400, message: "the body is no JSON" } });
    }
    if (!isChatRequest(body)) {
      return json(response, 400, { error: { code: 400, message: "messages is missing" } });
    }
    const asked = body;
    const view = viewOf(asked);
    const received = (source: string): RequestRecord =>
      log.open(view.userText, asked.messages.length, source, asked, headersOf(request));
    let turn: TurnScript;
    let source: string;
    try {
      const chosen = scripts.choose(view.userText, view.turns.length);
      if (chosen !== undefined) {
        source = `${chosen.scriptId} turn ${chosen.number}`;
        turn = chosen.turn;
      } else {
        const answered = answer(view, pace);
        source = `persona ${answered.persona}`;
        turn = answered.turn;
      }
    } catch (error) {
      if (!(error instanceof ScriptExhausted)) throw error;
      const record = received("script exhausted");
      record.over = true;
      log.write("error", record, { detail: error.message });
      const detail = { code: 400, message: error.message, type: "script_exhausted" };
      return json(response, 400, { error: detail });
    }
    const record = received(source);
    await play(log, record, response, asked, turn);
  }

  await new Promise<void>((settle, fail) => {
    server.once("error", fail);
    server.listen(options.port ?? 0, "127.0.0.1", settle);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let closing: Promise<void> | undefined;
  return {
    url,
    baseUrl: `${url}/v1`,
    adminKey,
    close: () => {
      closing ??= new Promise<void>((settle) => {
        server.close(() => settle());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}

async function readText(request: IncomingMessage): Promise<string> {
  return (await readBody(request, MAX_BODY_BYTES, "request body")).toString("utf8");
}

/** Headers as the server saw them; of secrets only that they were there. */
function headersOf(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined) continue;
    const secret = name === "authorization" || name === "x-api-key";
    headers[name] = secret ? "(set)" : Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
}

function frontPage(log: ModelLog): string {
  const lines = log
    .requests()
    .slice(-50)
    .map((r) => `${r.id}  ${r.over ? "over   " : "running"}  ${r.source}  ${r.conversation}`);
  return ["The scripted model. Base URL: /v1", "", "Latest requests:", ...lines, ""].join("\n");
}
