// Stands in for Firecrawl: answers `POST /v2/scrape` as the real service does. Pages of this machine
// are really fetched, redirects followed; of any other page it makes one up that says so, because
// nothing leaves this machine. Tests script single pages.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json, readBody } from "../http.ts";
import { installationKey, type Service, type ServiceOptions } from "../service.ts";
import { markdownOf } from "./markdown.ts";

export interface FirecrawlService extends Service {
  /** What FIRECRAWL_API_KEY is set to. */
  readonly apiKey: string;
  readonly adminKey: string;
}

/** What one URL is answered with. */
export interface ScriptedPage {
  url: string;
  markdown?: string;
  /** Where redirects are said to have led. */
  finalUrl?: string;
  /** The page's own status. */
  statusCode?: number;
  /** The service itself fails with this status. */
  fail?: number;
  /** No answer comes. */
  hang?: boolean;
}

export interface ScrapeRequest {
  /** Epoch milliseconds. */
  at: number;
  url: string;
  authorized: boolean;
}

interface Page {
  markdown: string;
  finalUrl: string;
  statusCode: number;
}

const MAX_BODY_BYTES = 1024 * 1024;
const MAX_REDIRECTS = 5;
const FETCH_TIMEOUT_MS = 10_000;

export async function startFirecrawl(options: ServiceOptions = {}): Promise<FirecrawlService> {
  const apiKey = await installationKey(options.state, "api-key");
  const adminKey = await installationKey(options.state, "admin-key");
  const pages = new Map<string, ScriptedPage>();
  const requests: ScrapeRequest[] = [];

  async function scrape(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const authorized = request.headers.authorization === `Bearer ${apiKey}`;
    const { url, formats } = (await readJson(request)) as { url?: unknown; formats?: unknown };
    requests.push({ at: Date.now(), url: String(url), authorized });
    if (!authorized) return refuse(response, 401, "Unauthorized: Invalid token");
    if (typeof url !== "string" || !URL.canParse(url)) {
      return refuse(response, 400, "Bad Request: url is not a URL");
    }
    if (!Array.isArray(formats) || !formats.includes("markdown")) {
      return refuse(response, 400, "Bad Request: this stand-in knows the format markdown only");
    }
    const scripted = pages.get(url);
    if (scripted?.hang === true) return;
    if (scripted?.fail !== undefined) return refuse(response, scripted.fail, "scripted to fail");
    const page: Page =
      scripted === undefined
        ? await fetchPage(url)
        : {
            markdown: scripted.markdown ?? "",
            finalUrl: scripted.finalUrl ?? url,
            statusCode: scripted.statusCode ?? 200,
          };
    const { markdown, finalUrl, statusCode } = page;
    json(response, 200, {
      success: true,
      data: { markdown, metadata: { sourceURL: url, url: finalUrl, statusCode } },
    });
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1");
    if (pathname.startsWith("/admin/") && request.headers["x-polaris-admin"] !== adminKey) {
      return refuse(response, 401, "the admin key is missing");
    }
    switch (`${request.method} ${pathname}`) {
      case "POST /v2/scrape":
        return await scrape(request, response);
      case "GET /":
        return json(response, 200, { service: "stands in for Firecrawl", requests });
      case "GET /admin/requests":
        return json(response, 200, { requests });
      case "POST /admin/pages": {
        const { pages: given } = (await readJson(request)) as { pages: ScriptedPage[] };
        for (const page of given) pages.set(page.url, page);
        return json(response, 200, {});
      }
      default:
        return refuse(response, 404, `Cannot ${request.method} ${pathname}`);
    }
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(response, 500, error instanceof Error ? error.message : String(error));
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
    apiKey,
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

/** A page of this machine as it is; of any other, one that says where it stands in. */
async function fetchPage(asked: string): Promise<Page> {
  let url = new URL(asked);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const finalUrl = url.href;
    if (!isLoopback(url)) {
      const markdown = `# ${url.hostname}${url.pathname}\n\nThis text stands in for ${url.href}: the local Firecrawl fetches nothing from outside this machine. Set FIRECRAWL_API_KEY in .env.local for the real one.`;
      return { markdown, finalUrl, statusCode: 200 };
    }
    const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS);
    const response = await fetch(url, { redirect: "manual", signal });
    const location = response.headers.get("location");
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel();
      url = new URL(location, url);
      continue;
    }
    const text = await response.text();
    const isHtml = /\bhtml\b/.test(response.headers.get("content-type") ?? "");
    const markdown = isHtml ? markdownOf(text) : text;
    return { markdown, finalUrl, statusCode: response.status };
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
}

function isLoopback({ protocol, hostname }: URL): boolean {
  return (
    /^https?:$/.test(protocol) && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname.toLowerCase())
  );
}

function refuse(response: ServerResponse, status: number, error: string): void {
  json(response, status, { success: false, error });
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  return JSON.parse(
    (await readBody(request, MAX_BODY_BYTES, "request")).toString("utf8"),
  ) as unknown;
}
