// The HTTP API of a deployment (crates/local_backend/src/public_api.rs of get-convex/convex-backend):
// a function's failure is 200 with `status: "error"`, everything else that goes wrong is a status with
// `{code, message}`.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { JSONValue } from "convex/values";
import { jsonToConvex, type Value } from "convex/values";
import { AuthFailure } from "../engine/auth.ts";
import type { Outcome } from "../engine/engine.ts";
import type { Caller, FunctionKind } from "../engine/frame.ts";
import { canonicalPath } from "../engine/modules.ts";
import { handleAdmin } from "./admin.ts";
import { faultBody } from "./faults.ts";
import type { Host } from "./host.ts";
import { callerOf } from "./identity.ts";
import { handleStorage } from "./storage-routes.ts";

/** 16 MiB of arguments and a little around them. */
const MAX_BODY_BYTES = 16 * 1024 * 1024 + 2000;

export class HttpError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export async function handleRequest(
  host: Host,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    allowLocalPages(request, response);
    if (request.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    await route(host, request, response);
  } catch (error) {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (error instanceof HttpError) {
      sendJson(response, error.status, { code: error.code, message: error.message });
    } else if (error instanceof AuthFailure) {
      sendJson(response, 401, { code: error.code, message: error.message });
    } else {
      process.stderr.write(`${request.method} ${request.url}: ${String(error)}\n`);
      sendJson(response, 500, {
        code: "InternalServerError",
        message: "Your request couldn't be completed",
      });
    }
  }
}

/** Pages of this machine may call; pages from elsewhere get no CORS headers. */
function allowLocalPages(request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers;
  if (origin === undefined || !isLocalOrigin(origin)) return;
  response.setHeader("Access-Control-Allow-Origin", origin);
  response.setHeader("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  response.setHeader(
    "Access-Control-Allow-Headers",
    request.headers["access-control-request-headers"] ??
      "Content-Type, Authorization, Convex-Client",
  );
  response.setHeader("Access-Control-Max-Age", "86400");
  response.setHeader("Vary", "Origin");
}

export function isLocalOrigin(origin: string): boolean {
  try {
    const { hostname } = new URL(origin);
    return /^(localhost|.*\.localhost|127\.0\.0\.1|\[::1\])$/.test(hostname);
  } catch {
    return false;
  }
}

async function route(
  host: Host,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const { pathname } = url;
  if (pathname === "/version") return sendText(response, "unknown");
  if (pathname === "/instance_name") return sendText(response, "local");
  if (pathname.startsWith("/admin/")) return await handleAdmin(host, url, request, response);
  if (pathname.startsWith("/api/storage/")) {
    return await handleStorage(host, url, request, response);
  }
  if (request.method === "GET" && pathname === "/api/query") {
    const args = url.searchParams.get("args") ?? "{}";
    const body = {
      path: url.searchParams.get("path"),
      args: parseJson(args),
      format: url.searchParams.get("format"),
    };
    return await callFunction(host, request, response, "query", body);
  }
  const kind = KINDS[pathname] ?? (pathname.startsWith("/api/run/") ? "any" : undefined);
  if (kind === undefined && pathname !== "/api/query_ts" && pathname !== "/api/query_batch") {
    throw new HttpError(404, "NotFound", `There is nothing at ${pathname}`);
  }
  if (request.method !== "POST") {
    throw new HttpError(405, "MethodNotAllowed", `${pathname} takes POST`);
  }
  if (pathname === "/api/query_ts")
    return sendJson(response, 200, { ts: encodeTs(host.engine.lastTs) });
  const body = await readJson(request);
  if (pathname === "/api/query_batch") return await callBatch(host, request, response, body);
  if (pathname.startsWith("/api/run/")) {
    const parts = decodeURIComponent(pathname.slice("/api/run/".length)).split("/");
    const name = parts.pop() ?? "";
    body.path = parts.length === 0 ? name : `${parts.join("/")}:${name}`;
  }
  return await callFunction(host, request, response, kind ?? "any", body);
}

const KINDS: Record<string, FunctionKind | "any"> = {
  "/api/query": "query",
  "/api/query_at_ts": "query",
  "/api/mutation": "mutation",
  "/api/action": "action",
  "/api/function": "any",
};

interface FunctionRequest {
  path: string;
  argsJson: string;
  encode: (json: string) => string;
}

function parseRequest(body: Record<string, unknown>): FunctionRequest {
  const { path, format } = body;
  if (typeof path !== "string") throw new HttpError(400, "BadJsonBody", "`path` must be a string");
  const given = body.args ?? {};
  const args: unknown = Array.isArray(given) && given.length === 1 ? given[0] : given;
  if (typeof args !== "object" || args === null || Array.isArray(args)) {
    throw new HttpError(400, "BadJsonBody", "`args` must be an object or an array of one object");
  }
  if (
    format !== undefined &&
    format !== null &&
    format !== "json" &&
    format !== "convex_encoded_json"
  ) {
    throw new HttpError(400, "BadFormat", `unknown format: ${String(format)}`);
  }
  const encode = format === "convex_encoded_json" ? (json: string) => json : cleanJson;
  return { path, argsJson: JSON.stringify(args), encode };
}

async function callFunction(
  host: Host,
  request: IncomingMessage,
  response: ServerResponse,
  kind: FunctionKind | "any",
  body: Record<string, unknown>,
): Promise<void> {
  const { path, argsJson, encode } = parseRequest(body);
  const caller = await callerOf(request.headers.authorization, host.authenticator, host.adminKey);
  const found = kind === "any" ? kindOf(host, path) : kind;
  const reply = await host.calls.perform({ kind: found, path, argsJson, caller });
  if (reply.type === "refused") {
    if (reply.retryAfter !== undefined) response.setHeader("Retry-After", String(reply.retryAfter));
    return sendJson(response, reply.status, faultBody(reply.status));
  }
  if (reply.drop) {
    request.socket.destroy();
    return;
  }
  sendRaw(response, 200, outcomeJson(reply.outcome, encode));
}

function kindOf(host: Host, path: string): FunctionKind {
  return host.deployment.functions.get(canonicalPath(path))?.kind ?? "query";
}

async function callBatch(
  host: Host,
  request: IncomingMessage,
  response: ServerResponse,
  body: Record<string, unknown>,
): Promise<void> {
  const { queries } = body;
  if (!Array.isArray(queries))
    throw new HttpError(400, "BadJsonBody", "`queries` must be an array");
  const caller: Caller = await callerOf(
    request.headers.authorization,
    host.authenticator,
    host.adminKey,
  );
  const requests = queries.map((query) => parseRequest(query as Record<string, unknown>));
  // One lock for all: every query of a batch sees the same state.
  const results = await host.engine.exclusive(async () => {
    const texts: string[] = [];
    for (const { path, argsJson, encode } of requests) {
      texts.push(outcomeJson(await host.engine.runQueryNow(path, argsJson, caller, null), encode));
    }
    return texts;
  });
  sendRaw(response, 200, `{"results":[${results.join(",")}]}`);
}

function outcomeJson(outcome: Outcome, encode: (json: string) => string): string {
  const logs = outcome.logLines.length > 0 ? `,"logLines":${JSON.stringify(outcome.logLines)}` : "";
  if (outcome.ok) return `{"status":"success","value":${encode(outcome.json)}${logs}}`;
  const { errorMessage, errorData } = outcome.failure;
  const data = errorData === undefined ? "" : `,"errorData":${encode(JSON.stringify(errorData))}`;
  return `{"status":"error","errorMessage":${JSON.stringify(errorMessage)}${data}${logs}}`;
}

// ---- bodies ----

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/json\b/i.test(type)) {
    throw new HttpError(
      400,
      "BadJsonBody",
      "Expected request with `Content-Type: application/json`",
    );
  }
  const text = (await readBody(request, MAX_BODY_BYTES)).toString("utf8");
  const value = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError(400, "BadJsonBody", "The body must be a JSON object");
  }
  return value as Record<string, unknown>;
}

export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Read on for a while, so that the client gets an answer and not a broken pipe.
    if (bytes > limit * 8) break;
    if (bytes <= limit) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (bytes > limit) {
    throw new HttpError(
      400,
      "BadJsonBody",
      "Failed to buffer the request body: length limit exceeded",
    );
  }
  return Buffer.concat(chunks);
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // The real backend's JSON parser refuses lone surrogates; JavaScript's does not.
    if (/\\u[dD][89a-fA-F]/.test(text) && /\p{Surrogate}/u.test(deepText(value))) {
      throw new Error("lone surrogate in a string");
    }
    return value;
  } catch (error) {
    throw new HttpError(
      400,
      "BadJsonBody",
      `Failed to parse the request body as JSON: ${String(error)}`,
    );
  }
}

function deepText(value: unknown): string {
  if (typeof value === "string") return `${value}\n`;
  if (typeof value !== "object" || value === null) return "";
  return Object.entries(value)
    .map(([key, item]) => `${key}\n${deepText(item)}`)
    .join("");
}

/** The lossy plain form: int64 as decimal text, bytes as base64, special floats by name. */
function cleanJson(json: string): string {
  if (!json.includes('"$')) return json;
  return JSON.stringify(clean(jsonToConvex(JSON.parse(json) as JSONValue)));
}

function clean(value: Value | undefined): JSONValue {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(clean);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(
      Object.entries(value as Record<string, Value>).map(([name, item]) => [name, clean(item)]),
    );
  }
  return value as JSONValue;
}

/** Timestamps travel as base64 of eight little-endian bytes. */
export function encodeTs(ts: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(ts);
  return bytes.toString("base64");
}

export function decodeTs(text: string): bigint {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === 8 ? bytes.readBigUInt64LE() : 0n;
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  sendRaw(response, status, JSON.stringify(body));
}

function sendRaw(response: ServerResponse, status: number, json: string): void {
  const close = status === 400 ? { Connection: "close" } : {};
  response.writeHead(status, { "Content-Type": "application/json", ...close }).end(json);
}

function sendText(response: ServerResponse, text: string): void {
  response.writeHead(200, { "Content-Type": "text/plain" }).end(text);
}
