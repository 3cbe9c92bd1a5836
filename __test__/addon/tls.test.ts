// The package in a worker that reaches its model over TLS with a private authority, as behind a
// company's proxy: Node's own variable for it is enough, and without it the error says what to do.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createCA, createCert } from "mkcert";
import { CancelledError, ConfigError, startRun } from "polaris-agent";
import { useModel } from "./model-server.ts";

const VALID_DAYS = 1;

describe("over TLS with a private authority", () => {
  let folder: string;
  let authority: string;
  let server: Http2SecureServer;
  const streams: ServerHttp2Stream[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "polaris-tls-"));
    authority = join(folder, "ca.pem");
    const about = { organization: "Test", countryCode: "NP", state: "Test", locality: "Test" };
    const ca = await createCA({ ...about, validity: VALID_DAYS });
    await writeFile(authority, ca.cert);
    server = createSecureServer(
      await createCert({ ca, domains: ["localhost"], validity: VALID_DAYS }),
    );
    server.on("stream", (stream) => {
      streams.push(stream);
      stream.on("error", () => {});
      stream.respond({ ":status": 200, "content-type": "text/event-stream" });
      stream.write(event({ delta: { content: "Once upon" }, finish_reason: null }));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    useModel(`https://localhost:${(server.address() as AddressInfo).port}/v1`);
  });

  after(async () => {
    delete process.env.NODE_EXTRA_CA_CERTS;
    for (const stream of streams) stream.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });

  it("an answer streams over HTTP/2, and a cancel resets its stream alone", async () => {
    process.env.NODE_EXTRA_CA_CERTS = authority;
    const [cancelled, kept] = [run(), run()];
    await Promise.all([firstText(cancelled), firstText(kept)]);
    assert.equal(streams.length, 2);
    const sessions = new Set(streams.map(({ session }) => session));
    // Two runs that begin together may each open a connection; what counts is that the other goes on.
    assert.ok(sessions.size <= 2);
    const closed = streams.map((stream) => once(stream, "close"));
    cancelled.cancel();
    await assert.rejects(cancelled.result(), CancelledError);
    await Promise.race(closed);
    const open = streams.filter((stream) => !stream.closed);
    assert.equal(open.length, 1);
    open[0]?.end(event({ delta: { content: " a time" }, finish_reason: "stop" }));
    assert.equal((await kept.result()).text, "Once upon a time");
  });

  it("without the authority nothing is sent, and the error names the variable", async () => {
    delete process.env.NODE_EXTRA_CA_CERTS;
    const before = streams.length;
    await assert.rejects(run().result(), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.code, "TLS_UNKNOWN_ISSUER");
      assert.match(error.hint ?? "", /NODE_EXTRA_CA_CERTS/);
      return true;
    });
    assert.equal(streams.length, before);
  });
});

function run() {
  return startRun({ job: "agent", payload: { messages: [{ role: "user", content: "Hi" }] } });
}

async function firstText(started: ReturnType<typeof run>): Promise<void> {
  for await (const { type } of started.events()) if (type === "text") return;
  assert.fail("the run ended without text");
}

function event(choice: object): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;
}
