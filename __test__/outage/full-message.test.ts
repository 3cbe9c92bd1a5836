// An answer that outgrows its document, against the host with Convex's own limits: the message ends
// with the head of the answer and a notice that says so, whatever else is in the document and however
// the run ends.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PolarisError, startRun } from "polaris-agent";
import { type Convex, startConvex } from "../../local/convex/index.ts";
import { World } from "../../local/convex/testing/world.ts";
import {
  type Exchange,
  type ModelServer,
  startModelServer,
  useModel,
} from "../addon/model-server.ts";

const NOTICE =
  "\n\n[… The answer goes on, but it is longer than a message can hold: only its beginning is kept. …]";
const LONG_BYTES = 2_000_000;
/** 12 bytes: a cut falls into a character more often than not. */
const WORD = "😀é🎉 .";
const CHUNK = WORD.repeat(500);

function long(exchange: Exchange, shift: string): string {
  exchange.text(shift);
  let whole = shift;
  for (let bytes = 0; bytes < LONG_BYTES; bytes += Buffer.byteLength(CHUNK)) {
    exchange.text(CHUNK);
    whole += CHUNK;
  }
  return whole;
}

describe("an answer that is longer than a message can hold", { timeout: 120_000 }, () => {
  let convex: Convex;
  let world: World;
  let model: ModelServer;
  let answer: (exchange: Exchange) => void = () => undefined;
  before(async () => {
    convex = await startConvex();
    world = new World(convex);
    model = await startModelServer((exchange) => answer(exchange));
    useModel(model.url);
    process.env.CONVEX_URL = convex.url;
    process.env.POLARIS_CONVEX_INTERNAL_KEY = convex.internalKey;
  });
  after(async () => {
    await model?.close();
    await convex?.close();
  });

  async function run(during?: (run: ReturnType<typeof startRun>) => Promise<void>) {
    const where = await world.conversation();
    await world.add(where, "user", "Tell me everything");
    const messageId = await world.add(where, "assistant", "", "processing");
    const options = { attempt: { number: 3, max: 3 }, limits: { modelRetries: 0 } };
    const started = startRun({ job: "process-message", payload: { messageId }, options });
    await during?.(started);
    const code = await started.result().then(
      () => undefined,
      (error: unknown) => (error instanceof PolarisError ? error.code : String(error)),
    );
    const message = await world.message(messageId);
    assert.ok(message !== null);
    const refused = (await world.admin.log()).filter(
      (call) => call.messageId === messageId && !call.ok,
    );
    return { code, message, refused };
  }

  function isHead(content: string, whole: string, atLeast: number): void {
    assert.ok(content.endsWith(NOTICE), content.slice(-200));
    const head = content.slice(0, -NOTICE.length);
    assert.ok(whole.startsWith(head), "not the head of the answer");
    assert.ok(!/\p{Surrogate}/u.test(head), "half a character at the cut");
    assert.ok(Buffer.byteLength(head) >= atLeast, `${Buffer.byteLength(head)} bytes are kept`);
  }

  it("ends completed with its head and a notice, and no write is refused", async () => {
    // Each shift moves the cut to another place within a character.
    for (const shift of ["", "a", "ab", "abc"]) {
      let whole = "";
      answer = (exchange) => {
        whole = long(exchange, shift);
        exchange.finish();
      };
      const { code, message, refused } = await run();
      assert.deepEqual([code, message.status, refused], [undefined, "completed", []]);
      isHead(message.content, whole, 900_000);
    }
  });

  it("leaves room for the calls beside it, and they for it", async () => {
    let whole = "";
    answer = (exchange) => {
      if (exchange.request.messages.some(({ role }) => role === "tool")) {
        whole = `Now. ${long(exchange, "")}`;
        exchange.finish();
        return;
      }
      exchange.text("Now. ");
      // 12 × 100 kB of arguments, and 12 results of 64 KiB: more than a document by themselves.
      for (let n = 0; n < 12; n++) {
        const args = { path: `f${n}`, content: "x".repeat(100_000) };
        exchange.toolCall(n, `w${n}`, "writeFile", args);
      }
      for (let n = 0; n < 12; n++) {
        exchange.toolCall(12 + n, `r${n}`, "readFile", { path: `f${n}` });
      }
      exchange.finish("tool_calls");
    };
    const { code, message, refused } = await run();
    assert.deepEqual([code, message.status, refused], [undefined, "completed", []]);
    isHead(message.content, whole, 150_000);
    assert.equal(message.toolCalls?.length, 24);
    assert.ok(message.toolCalls?.every(({ result }) => typeof result === "string"));
  });

  it("ends failed or cancelled like any other", async () => {
    let whole = "";
    answer = (exchange) => {
      whole = long(exchange, "");
      exchange.finish("content_filter");
    };
    const failed = await run();
    assert.deepEqual([failed.code, failed.message.status], ["CONTENT_FILTER", "failed"]);
    isHead(failed.message.content, whole, 900_000);

    answer = (exchange) => {
      whole = long(exchange, "");
    };
    const cancelled = await run(async (started) => {
      let bytes = 0;
      for (
        let batch = await started.nextBatch();
        batch !== null;
        batch = await started.nextBatch()
      ) {
        for (const event of batch) {
          if (event.type === "text") bytes += Buffer.byteLength(event.text);
        }
        if (bytes > LONG_BYTES * 0.9) break;
      }
      started.cancel();
    });
    assert.deepEqual([cancelled.code, cancelled.message.status], ["CANCELLED", "cancelled"]);
    isHead(cancelled.message.content, whole, 900_000);
    assert.deepEqual([...failed.refused, ...cancelled.refused], []);
  });
});
