// A small router on node:http: routes by method and path, bodies checked by a schema before a
// handler sees them, replies checked by a schema before they leave. Errors are `{error}` with
// `x-should-retry`, which the official clients obey.

import type { IncomingMessage, ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";
import type { z } from "zod";

export class HttpError extends Error {
  readonly status: number;
  readonly retry: boolean;
  constructor(status: number, message: string, options: { retry?: boolean } = {}) {
    super(message);
    this.status = status;
    this.retry = options.retry ?? false;
  }
}

/** Who may call: the holder of the environment's secret key, of the personal access token, or anyone. */
export type Access = "environment" | "personal" | "admin" | "page" | "open";

export interface Call<Body> {
  params: Record<string, string>;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  body: Body;
  request: IncomingMessage;
  response: ServerResponse;
}

export interface Route {
  method: string;
  pattern: string;
  access: Access;
  handle(call: Call<string>): Promise<void>;
}

/** The largest body that is read: the official limit of a payload is far below. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** A route that takes and gives JSON. */
export function route<Body, Answer>(
  path: string,
  options: {
    access: Access;
    body?: z.ZodType<Body>;
    reply: z.ZodType<Answer>;
    handle(call: Call<Body>): Reply | Promise<Reply>;
  },
): Route {
  const { method, pattern } = split(path);
  return {
    method,
    pattern,
    access: options.access,
    async handle(call) {
      const body = options.body ? parseBody(options.body, call.body) : (undefined as Body);
      const reply = await options.handle({ ...call, body });
      sendChecked(call.response, options.reply, reply.body, reply.status, reply.headers);
    },
  };
}

/** Sends what the client's own schema accepts; anything else is a fault of ours. */
export function sendChecked<Answer>(
  response: ServerResponse,
  schema: z.ZodType<Answer>,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  const conforms = schema.safeParse(JSON.parse(JSON.stringify(body)));
  if (!conforms.success) {
    throw new Error(`a reply that its client could not read: ${conforms.error}`);
  }
  sendJson(response, status, body, headers);
}

export interface Reply {
  body: unknown;
  status?: number;
  headers?: Record<string, string>;
}

/** A route that writes its own answer: the page, event streams. */
export function rawRoute(path: string, access: Access, handle: Route["handle"]): Route {
  return { ...split(path), access, handle };
}

export function createRouter(
  routes: Route[],
  allowed: (access: Access, request: IncomingMessage) => boolean,
): (request: IncomingMessage, response: ServerResponse) => void {
  const compiled = routes.map((each) => ({ route: each, match: compile(each.pattern) }));
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://localhost");
    let pathExists = false;
    for (const { route, match } of compiled) {
      const params = match(url.pathname);
      if (params === undefined) continue;
      pathExists = true;
      if (route.method !== request.method) continue;
      if (!allowed(route.access, request)) throw new HttpError(401, "Invalid or Missing API Key");
      const body = await readBody(request);
      const { headers } = request;
      await route.handle({ params, query: url.searchParams, headers, body, request, response });
      return;
    }
    throw pathExists
      ? new HttpError(405, "Method not allowed")
      : new HttpError(404, `This local control plane has no ${request.method} ${url.pathname}`);
  };
  return (request, response) => {
    handle(request, response).catch((error: unknown) => fail(response, error));
  };
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
  response.end(JSON.stringify(body));
}

function fail(response: ServerResponse, error: unknown): void {
  if (error instanceof HttpError) {
    const retry = { "x-should-retry": String(error.retry) };
    sendJson(response, error.status, { error: error.message }, retry);
    return;
  }
  process.stderr.write(`control-plane: ${error instanceof Error ? error.stack : String(error)}\n`);
  sendJson(response, 500, { error: "Internal Server Error" }, { "x-should-retry": "true" });
}

export function parseBody<Body>(schema: z.ZodType<Body>, text: string): Body {
  let value: unknown;
  try {
    value = text === "" ? {} : JSON.parse(text);
  } catch {
    throw new HttpError(400, "The body is not JSON");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue && issue.path.length > 0 ? ` at ${issue.path.join(".")}` : "";
  throw new HttpError(400, `Invalid request body${where}: ${issue?.message ?? "unknown"}`);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new HttpError(413, "The body is too large");
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (request.headers["content-encoding"] !== "gzip") return bytes.toString("utf8");
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_BODY_BYTES }).toString("utf8");
  } catch {
    throw new HttpError(400, "The body is not gzip, or too large");
  }
}

function split(path: string): { method: string; pattern: string } {
  const [method = "", pattern = ""] = path.split(" ");
  return { method, pattern };
}

function compile(pattern: string): (path: string) => Record<string, string> | undefined {
  const names: string[] = [];
  const source = pattern.replace(/:(\w+)/g, (_, name: string) => {
    names.push(name);
    return "([^/]+)";
  });
  const expression = new RegExp(`^${source}$`);
  return (path) => {
    const found = expression.exec(path);
    if (found === null) return undefined;
    try {
      return Object.fromEntries(
        names.map((name, i) => [name, decodeURIComponent(found[i + 1] ?? "")]),
      );
    } catch {
      throw new HttpError(400, "The path is not valid");
    }
  };
}
