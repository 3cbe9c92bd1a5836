import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { after, afterEach, before, describe, it } from "node:test";
import { ModelAdmin } from "./client.ts";
import { readStream } from "./fixtures/agent.ts";
import { type ModelService, startModel } from "./index.ts";
import type { TurnScript } from "./script.ts";

const UNICODE = "Grüße — 你好 🙂 und noch mehr Text";

describe("the scripted model", () => {
  let model: ModelService;
  let admin: ModelAdmin;
  before(async () => {
    model = await startModel();
    admin = new ModelAdmin(model);
  });
  after(() => model.close());
  afterEach(() => admin.reset());

  function post(text: string, more: Record<string, unknown> = {}, signal?: AbortSignal) {
    return fetch(`${model.baseUrl}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer sk-not-for-the-log" },
      body: JSON.stringify({
        model: "scripted",
        stream: true,
        messages: [{ role: "user", content: text }],
        ...more,
      }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async function streamed(turn: TurnScript): Promise<string> {
    await admin.script({ match: { any: true }, turns: [turn] });
    return (await post("go")).text();
  }

  it("streams a directed turn and gives each request of a conversation the next turn", async () => {
    await admin.script({
      match: { contains: "first" },
      turns: [
        { toolCalls: [{ id: "call_1", name: "readFile", args: { path: "a" }, fragments: 3 }] },
        { text: "done" },
      ],
    });
    const first = readStream(await (await post("the first one")).text());
    assert.deepEqual(first.calls, [{ id: "call_1", name: "readFile", args: '{"path":"a"}' }]);
    assert.equal(first.finish, "tool_calls");
    const other = readStream(await (await post("another first one")).text());
    assert.equal(other.calls.length, 1, "another conversation begins at its own first turn");
    assert.equal(readStream(await (await post("the first one")).text()).text, "done");
    const over = await post("the first one");
    assert.equal(over.status, 400);
    assert.match(await over.text(), /turn 3 was asked for/);
  });

  it("can choose the turn by position, repeat a turn, and begin again", async () => {
    await admin.script({ by: "position", turns: [{ text: "one" }, { text: "two" }] });
    const again = async (more = {}) => readStream(await (await post("x", more)).text()).text;
    assert.deepEqual([await again(), await again()], ["one", "one"]);
    const messages = [
      { role: "user", content: "x" },
      { role: "assistant", content: "one" },
    ];
    assert.equal(await again({ messages }), "two");
    await admin.script({ loop: true, turns: [{ text: "a", repeat: 2 }, { text: "b" }] });
    const texts = [await again(), await again(), await again(), await again()];
    assert.deepEqual(texts, ["a", "a", "b", "a"]);
  });

  it("sends the same text whatever the framing", async () => {
    for (const framing of [
      {},
      { crlf: true },
      { cr: true },
      { bom: true },
      { comments: true },
      { oneByteWrites: true },
      { splitUtf8: true },
      { noSpaceAfterColon: true },
      { paddedDone: true, noFinalBlankLine: true },
      { noDone: true },
    ]) {
      await admin.reset();
      const body = await streamed({ text: UNICODE, framing });
      assert.equal(readStream(body.replace(/^\uFEFF/, "")).text, UNICODE);
      assert.equal(body.includes("[DONE]"), !("noDone" in framing));
      assert.equal(body.includes("\r\n"), "crlf" in framing);
      assert.equal(body.includes(": OPENROUTER"), "comments" in framing);
    }
  });

  it("splits writes inside a character when asked to", async () => {
    await admin.script({ turns: [{ chunks: [UNICODE], framing: { splitUtf8: true } }] });
    const pieces = await new Promise<Buffer[]>((settle, fail) => {
      const url = new URL(`${model.baseUrl}/chat/completions`);
      const request = httpRequest(url, { method: "POST" }, (response) => {
        const list: Buffer[] = [];
        response.on("data", (piece: Buffer) => list.push(piece));
        response.on("end", () => settle(list));
      });
      request.on("error", fail);
      request.end(JSON.stringify({ stream: true, messages: [{ role: "user", content: "x" }] }));
    });
    assert.ok(
      pieces.some((piece) => piece.toString("utf8").includes("\uFFFD")),
      "some piece ends inside a character",
    );
    assert.equal(readStream(Buffer.concat(pieces).toString("utf8")).text, UNICODE);
  });

  it("fails in every way a test asks for", async () => {
    await admin.script({
      turns: [{ fail: { status: 429, body: { error: "slow" }, headers: { "retry-after": "2" } } }],
    });
    const refused = await post("go");
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("retry-after"), "2");
    assert.deepEqual(await refused.json(), { error: "slow" });

    await admin.reset();
    const cut = await streamed({ chunks: ["a", "b", "c"], fail: { cutAfterDeltas: 2 } });
    assert.deepEqual({ ...readStream(cut), calls: 0 }, { text: "ab", calls: 0, finish: null });
    assert.ok(!cut.includes("[DONE]"));

    await admin.reset();
    const inBand = await streamed({
      chunks: ["a", "b"],
      fail: { errorChunkAfterDeltas: 1, error: { code: 503, message: "overloaded" } },
    });
    assert.match(inBand, /"finish_reason":"error".*"error":\{"code":503,"message":"overloaded"\}/);

    await admin.reset();
    await assert.rejects(streamed({ chunks: ["a", "b"], fail: { resetAfterDeltas: 1 } }));

    await admin.reset();
    const garbage = await streamed({ chunks: ["a", "b"], fail: { garbageAfterDeltas: 1 } });
    assert.match(garbage, /data: \{this is no JSON\n/);
    assert.match(garbage, /"content":"b"/);

    await admin.reset();
    assert.equal(await streamed({ raw: "data: recorded\r\n\r\n" }), "data: recorded\r\n\r\n");
  });

  it("records the moment the client leaves, with what it had been sent", async () => {
    await admin.script({ turns: [{ text: "x".repeat(4000), chunkChars: 4, deltaMs: 5 }] });
    const stop = new AbortController();
    const reading = post("leaver", {}, stop.signal).then((response) => response.text());
    const record = await admin.waitFor({ contains: "leaver", deltas: 5 });
    stop.abort();
    const aborted = performance.timeOrigin + performance.now();
    await assert.rejects(reading);
    const closed = await admin.waitFor({ type: "client-closed", requestId: record.id });
    assert.ok(closed.deltas >= 5);
    assert.equal(closed.text, "x".repeat(closed.deltas * 4));
    assert.ok(closed.at >= aborted - 1 && closed.at < aborted + 100, `${closed.at - aborted} ms`);
    const types = (await admin.log()).map((entry) => entry.type);
    assert.deepEqual(types, ["request", "first-byte", "client-closed"]);
  });

  it("notices a client that leaves before the answer, in a stall, or flat out", async () => {
    for (const turn of [
      { text: "x", delayMs: 60_000 },
      { chunks: ["a", "b"], fail: { stallAfterDeltas: 1 }, framing: { commentEveryMs: 20 } },
      { text: "y".repeat(4_000_000), chunkChars: 1 },
    ] satisfies TurnScript[]) {
      await admin.reset();
      await admin.script({ turns: [turn] });
      const stop = new AbortController();
      const reading = post("go", {}, stop.signal).then((response) => response.text());
      await admin.waitFor({ type: "request" });
      if (turn.delayMs === undefined) await admin.waitFor({ deltas: 1 });
      stop.abort();
      await assert.rejects(reading);
      await admin.waitFor({ type: "client-closed", timeout: 5_000 });
    }
  });

  it("shows the request as it came, without the key", async () => {
    const tools = [{ type: "function", function: { name: "readFile" } }];
    await admin.script({ turns: [{ text: "ok" }] });
    await (await post("look", { tools, temperature: 0.7 })).text();
    const [entry] = await admin.log();
    assert.equal(entry?.headers?.authorization, "(set)");
    assert.ok(!JSON.stringify(await admin.log()).includes("sk-not-for-the-log"));
    const { body } = await admin.request(entry?.requestId ?? "");
    assert.deepEqual((body as Record<string, unknown>).tools, tools);
    const finished = (await admin.log()).at(-1);
    assert.equal(finished?.type, "finished");
    assert.equal(finished?.text, "ok");
  });

  it("keeps its pace by the clock", async () => {
    const begun = performance.now();
    await streamed({ text: "abcd".repeat(50), chunkChars: 4, deltasPerSecond: 200 });
    const tookMs = performance.now() - begun;
    assert.ok(tookMs >= 240, `${tookMs} ms for 50 deltas at 200 per second`);
  });

  it("answers unstreamed requests, lists models, refuses nonsense clearly", async () => {
    await admin.script({
      turns: [{ text: "whole", toolCalls: [{ name: "t", argsRaw: "{broken" }] }],
    });
    const whole = (await (await post("x", { stream: false })).json()) as {
      choices: { message: { content: string; tool_calls: { function: unknown }[] } }[];
    };
    assert.equal(whole.choices[0]?.message.content, "whole");
    assert.deepEqual(whole.choices[0]?.message.tool_calls[0]?.function, {
      name: "t",
      arguments: "{broken",
    });
    const models = (await (await fetch(`${model.baseUrl}/models`)).json()) as { data: unknown[] };
    assert.equal(models.data.length, 1);
    assert.equal((await post("x", { messages: "no" })).status, 400);
    await assert.rejects(
      admin.script({ turns: [{ txet: "typo" }] } as never),
      /Unrecognized key: .*txet/,
    );
    const stranger = await fetch(`${model.url}/admin/log`);
    assert.equal(stranger.status, 401);
  });
});
