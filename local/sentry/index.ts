// Stands in for Sentry: takes envelopes as the SDKs send them, keeps them in memory, and shows what
// came, parsed and raw. Nothing leaves this machine.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { json, readBody } from "../http.ts";
import type { Service, ServiceOptions } from "../service.ts";
import { type Envelope, parseEnvelope } from "./envelope.ts";
import { page } from "./page.ts";

export interface SentryService extends Service {
  /** What SENTRY_DSN is set to. */
  readonly dsn: string;
}

/** One item of an envelope, as it came. */
export interface ReceivedItem {
  seq: number;
  /** Epoch milliseconds. */
  at: number;
  project: string;
  type: string;
  payload: unknown;
}

const PUBLIC_KEY = "polaris";
const PROJECT = "1";
const MAX_BODY_BYTES = 200 * 1024 * 1024;
const MAX_WAIT_MS = 30_000;

const decoders: Record<string, (bytes: Buffer) => Promise<Buffer>> = {
  gzip: promisify<Buffer, Buffer>(gunzip),
  deflate: promisify<Buffer, Buffer>(inflate),
  br: promisify<Buffer, Buffer>(brotliDecompress),
};

export async function startSentry(options: ServiceOptions = {}): Promise<SentryService> {
  const items: ReceivedItem[] = [];
  const raw: Buffer[] = [];
  const waiting = new Set<() => void>();
  let seq = 0;

  function take(project: string, envelope: Envelope): void {
    for (const { type, payload } of envelope.items) {
      items.push({ seq: ++seq, at: Date.now(), project, type, payload });
    }
    for (const look of [...waiting]) look();
  }

  /** Settles when so many items of a type are there; false when time is up. */
  function waitFor(type: string, count: number, timeoutMs: number): Promise<boolean> {
    return new Promise((settle) => {
      const look = (): void => {
        if (items.filter((item) => item.type === type).length < count) return;
        waiting.delete(look);
        clearTimeout(timer);
        settle(true);
      };
      const timer = setTimeout(() => {
        waiting.delete(look);
        settle(false);
      }, timeoutMs);
      waiting.add(look);
      look();
    });
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const intake = /^\/api\/([^/]+)\/envelope\/?$/.exec(url.pathname);
    if (request.method === "POST" && intake !== null) {
      const sent = await readBody(request, MAX_BODY_BYTES, "envelope");
      const decode = decoders[request.headers["content-encoding"] ?? ""];
      try {
        const bytes = decode === undefined ? sent : await decode(sent);
        raw.push(bytes);
        const envelope = parseEnvelope(bytes);
        take(intake[1] ?? "", envelope);
        return json(response, 200, { id: envelope.headers.event_id ?? null });
      } catch (error) {
        return json(response, 400, {
          detail: error instanceof Error ? error.message : String(error),
        });
      }
    }
    const payloads = (type: string): unknown[] =>
      items.filter((item) => item.type === type).map((item) => item.payload);
    switch (`${request.method} ${url.pathname}`) {
      case "GET /":
        response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
        response.end(page(items));
        return;
      case "GET /admin/events":
        return json(response, 200, {
          events: payloads("event"),
          transactions: payloads("transaction"),
          // Newer SDKs stream spans in batches instead of sending transactions.
          spans: payloads("span").flatMap((batch) => (batch as { items?: unknown[] }).items ?? []),
          others: items.filter(({ type }) => !["event", "transaction", "span"].includes(type)),
        });
      case "GET /admin/wait": {
        const count = Number(url.searchParams.get("count") ?? "1");
        const timeout = Number(url.searchParams.get("timeout") ?? MAX_WAIT_MS);
        const came = await waitFor(url.searchParams.get("type") ?? "event", count, timeout);
        return json(response, came ? 200 : 408, { came, events: payloads("event") });
      }
      case "GET /admin/raw":
        response.writeHead(200, { "content-type": "application/octet-stream" });
        response.end(Buffer.concat(raw.flatMap((bytes) => [bytes, Buffer.from("\n")])));
        return;
      case "POST /admin/reset":
        items.length = 0;
        raw.length = 0;
        return json(response, 200, {});
      default:
        return json(response, 404, {
          detail: `no such endpoint: ${request.method} ${url.pathname}`,
        });
    }
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else json(response, 500, { detail: error instanceof Error ? error.message : String(error) });
    });
  });
  await new Promise<void>((settle, fail) => {
    server.once("error", fail);
    server.listen(options.port ?? 0, "127.0.0.1", settle);
  });
  const { port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    dsn: `http://${PUBLIC_KEY}@127.0.0.1:${port}/${PROJECT}`,
    close: () => {
      closing ??= new Promise<void>((settle) => {
        server.close(() => settle());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}
