// The admin API of the scripted model: scripts in, log out. For tests and the demo; every call needs
// the admin key, so that code under test cannot reach it by accident.

import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { json } from "../http.ts";
import type { ModelLog } from "./log.ts";
import { Script, type ScriptBook } from "./script.ts";

export interface AdminContext {
  log: ModelLog;
  scripts: ScriptBook;
  adminKey: string;
  readText: (request: IncomingMessage) => Promise<string>;
}

const DEFAULT_WAIT_MS = 30_000;

export async function handleAdmin(
  { log, scripts, adminKey, readText }: AdminContext,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  if (request.headers["x-polaris-admin"] !== adminKey) {
    return json(response, 401, { error: "x-polaris-admin is missing or wrong" });
  }
  const route = `${request.method} ${url.pathname}`;
  const query = url.searchParams;
  if (route === "POST /admin/scripts") {
    let body: unknown;
    try {
      body = JSON.parse(await readText(request));
    } catch {
      return json(response, 400, { error: "the script is no JSON" });
    }
    const parsed = Script.safeParse(body);
    if (!parsed.success) return json(response, 400, { error: z.prettifyError(parsed.error) });
    return json(response, 200, { id: scripts.add(parsed.data) });
  }
  if (route === "GET /admin/log") {
    return json(response, 200, { entries: log.entries(numberOf(query, "since") ?? 0) });
  }
  if (route === "GET /admin/requests") {
    return json(response, 200, {
      requests: log.requests().map(({ body: _, ...summary }) => summary),
    });
  }
  if (request.method === "GET" && url.pathname.startsWith("/admin/requests/")) {
    const record = log.request(url.pathname.slice("/admin/requests/".length));
    if (record === undefined) return json(response, 404, { error: "no such request" });
    return json(response, 200, record);
  }
  if (route === "GET /admin/wait") {
    const timeoutMs = numberOf(query, "timeout") ?? DEFAULT_WAIT_MS;
    const found = await log.waitFor(
      {
        type: query.get("type") ?? undefined,
        requestId: query.get("requestId") ?? undefined,
        contains: query.get("contains") ?? undefined,
        deltas: numberOf(query, "deltas"),
        count: numberOf(query, "count"),
        since: numberOf(query, "since"),
      },
      timeoutMs,
    );
    if (found === undefined) {
      return json(response, 408, {
        error: `nothing like that in ${timeoutMs} ms`,
        query: url.search,
      });
    }
    return json(response, 200, found);
  }
  if (route === "POST /admin/reset") {
    log.reset();
    scripts.clear();
    return json(response, 200, {});
  }
  json(response, 404, { error: `no such admin endpoint: ${route}` });
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
