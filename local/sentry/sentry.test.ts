import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import * as sentry from "@sentry/node";
import { parseEnvelope } from "./envelope.ts";
import { type SentryService, startSentry } from "./index.ts";

interface Received {
  events: { exception?: { values: { type: string; value: string }[] }; message?: string }[];
  transactions: unknown[];
  spans: { name: string }[];
  others: { type: string }[];
}

describe("the Sentry stand-in", () => {
  let service: SentryService;
  before(async () => {
    service = await startSentry();
  });
  after(() => service.close());

  const get = async <T>(path: string): Promise<T> =>
    (await (await fetch(service.url + path)).json()) as T;

  it("takes what the official SDK sends and shows it parsed, raw and as a page", async () => {
    sentry.init({ dsn: service.dsn, tracesSampleRate: 1, defaultIntegrations: false });
    sentry.captureException(new TypeError("it <broke>"));
    sentry.startSpan({ name: "a run", op: "task" }, () => undefined);
    assert.ok(await sentry.flush(10_000));
    const received = await get<Received>("/admin/events");
    assert.equal(received.events.length, 1);
    assert.deepEqual(received.events[0]?.exception?.values[0]?.type, "TypeError");
    assert.equal(received.spans[0]?.name, "a run");
    const raw = await (await fetch(`${service.url}/admin/raw`)).text();
    assert.match(raw, /it <broke>/);
    const page = await (await fetch(service.url)).text();
    assert.match(page, /TypeError: it &#60;broke&#62;/);
    await sentry.close(1000);
  });

  it("takes compressed envelopes and lets a test wait for them", async () => {
    await fetch(`${service.url}/admin/reset`, { method: "POST" });
    const waiting = get<{ came: boolean }>("/admin/wait?type=event&count=1");
    const envelope = `{"event_id":"a"}\n{"type":"event"}\n{"message":"zipped"}\n`;
    const sent = await fetch(`${service.url}/api/1/envelope/?sentry_key=polaris`, {
      method: "POST",
      headers: { "content-encoding": "gzip" },
      body: gzipSync(envelope),
    });
    assert.equal(sent.status, 200);
    assert.equal((await waiting).came, true);
    assert.equal((await get<Received>("/admin/events")).events[0]?.message, "zipped");
  });

  it("refuses what is no envelope", async () => {
    const response = await fetch(`${service.url}/api/1/envelope/`, { method: "POST", body: "no" });
    assert.equal(response.status, 400);
  });
});

describe("an envelope", () => {
  it("may hold items of a given length with newlines and bytes inside", () => {
    const payload = Buffer.from("line one\nline two \u00e9");
    const bytes = Buffer.concat([
      Buffer.from(`{}\n{"type":"attachment","length":${payload.length}}\n`),
      payload,
      Buffer.from(`\n{"type":"event"}\n{"message":"m"}`),
    ]);
    const { items } = parseEnvelope(bytes);
    assert.deepEqual(
      items.map((item) => [item.type, item.payload]),
      [
        ["attachment", "line one\nline two \u00e9"],
        ["event", { message: "m" }],
      ],
    );
  });

  it("that is cut short is refused", () => {
    assert.throws(
      () => parseEnvelope(Buffer.from('{}\n{"type":"event","length":99}\n{}')),
      /short/,
    );
  });
});
