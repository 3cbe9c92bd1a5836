import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { type FirecrawlService, type ScriptedPage, startFirecrawl } from "./index.ts";
import { markdownOf } from "./markdown.ts";

interface Answer {
  success: boolean;
  error?: string;
  data?: { markdown: string; metadata: { sourceURL: string; url: string; statusCode: number } };
}

describe("the Firecrawl stand-in", () => {
  let service: FirecrawlService;
  let site: Server;
  let page: string;
  before(async () => {
    service = await startFirecrawl();
    site = createServer((request, response) => {
      if (request.url === "/moved") {
        response.writeHead(302, { location: "/page" }).end();
      } else if (request.url === "/away") {
        response.writeHead(302, { location: "http://10.0.0.1/admin" }).end();
      } else {
        response.writeHead(200, { "content-type": "text/html" });
        response.end("<h1>Hello</h1><script>no()</script><p>A &amp; B</p>");
      }
    });
    await new Promise<void>((settle) => site.listen(0, "127.0.0.1", settle));
    page = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  });
  after(async () => {
    await service.close();
    site.close();
  });

  async function scrape(url: string, key = service.apiKey): Promise<[number, Answer]> {
    const response = await fetch(`${service.url}/v2/scrape`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ url, formats: ["markdown"], origin: "test" }),
    });
    return [response.status, (await response.json()) as Answer];
  }

  it("fetches pages of this machine and says where redirects led", async () => {
    const [status, { success, data }] = await scrape(`${page}/moved`);
    assert.deepEqual([status, success], [200, true]);
    assert.deepEqual(data, {
      markdown: "# Hello\n\nA & B",
      metadata: { sourceURL: `${page}/moved`, url: `${page}/page`, statusCode: 200 },
    });
  });

  it("fetches nothing from outside, not even behind a redirect", async () => {
    const [, { data }] = await scrape("https://example.com/docs");
    assert.match(data?.markdown ?? "", /^# example\.com\/docs\n\nThis text stands in/);
    const [, away] = await scrape(`${page}/away`);
    assert.equal(away.data?.metadata.url, "http://10.0.0.1/admin");
  });

  it("wants its key, a URL and a format", async () => {
    assert.equal((await scrape(page, "wrong"))[0], 401);
    assert.equal((await scrape("no url"))[0], 400);
  });

  it("answers single pages as a test says", async () => {
    const admin = (path: string, pages?: ScriptedPage[]) =>
      fetch(service.url + path, {
        method: pages === undefined ? "GET" : "POST",
        headers: { "x-polaris-admin": service.adminKey },
        ...(pages === undefined ? {} : { body: JSON.stringify({ pages }) }),
      });
    await admin("/admin/pages", [
      { url: "http://a.example/", markdown: "scripted", finalUrl: "http://b.example/" },
      { url: "http://c.example/", fail: 502 },
    ]);
    const [, { data }] = await scrape("http://a.example/");
    assert.deepEqual([data?.markdown, data?.metadata.url], ["scripted", "http://b.example/"]);
    assert.equal((await scrape("http://c.example/"))[0], 502);
    const { requests } = (await (await admin("/admin/requests")).json()) as {
      requests: { url: string }[];
    };
    assert.equal(requests.at(-1)?.url, "http://c.example/");
    assert.equal((await fetch(`${service.url}/admin/requests`)).status, 401);
  });
});

it("HTML becomes Markdown", () => {
  const html = `<head><title>x</title></head><h2 class="a">Two</h2><ul><li>one</li><li><a href="/b">b</a></li></ul>
    <!-- no --><p>&lt;tag&gt; &#228; &unknown;</p>`;
  assert.equal(markdownOf(html), "## Two\n\n- one\n- [b](/b)\n\n<tag> ä &unknown;");
});
