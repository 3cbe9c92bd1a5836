// What a run leaves behind in its process: nothing. Memory, threads, handles and the process's own end,
// looked at in processes and worker threads of their own; the model counts the sockets.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { diagnostics, startRun } from "polaris-agent";
import { type Exchange, type ModelServer, startModelServer, useModel } from "./model-server.ts";

const WARM_UP_RUNS = 300;
const RUNS = 1_000;
/** A leak of 10 KB per run, a small fraction of what one holds while it works, would be 10 MB. */
const MAX_GROWTH_BYTES = 10 * 1024 * 1024;
const TEST_TIMEOUT_MS = 60_000;

let server: ModelServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function model(answer: (exchange: Exchange) => void): Promise<ModelServer> {
  server = await startModelServer(answer);
  useModel(server.url);
  return server;
}

/** Runs a fixture to its own end: nobody kills it but a test's timeout. */
async function script(
  name: string,
  ...args: string[]
): Promise<{ lines: string[]; code: number | null }> {
  const file = fileURLToPath(new URL(`./fixtures/${name}.mjs`, import.meta.url));
  const child = spawn(process.execPath, ["--expose-gc", file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: TEST_TIMEOUT_MS,
  });
  let output = "";
  child.stdout.on("data", (part: Buffer) => {
    output += part.toString("utf8");
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { lines: output.trim().split("\n"), code };
}

function worker(url: string): Worker {
  return new Worker(new URL("./fixtures/worker.mjs", import.meta.url), { workerData: { url } });
}

/** Rust ends a run on its own threads: a turn of the event loop is one look. */
async function untilNoRunIsLeft(): Promise<void> {
  while (diagnostics().runs > 0) await new Promise(setImmediate);
}

describe("a process", { timeout: TEST_TIMEOUT_MS }, () => {
  it(`stays as small as it was over ${RUNS} short runs, and ends by itself`, async () => {
    const { exchanges } = await model((exchange) =>
      exchange.text("a short ").text("answer").finish(),
    );
    const { lines, code } = await script("many-runs", String(WARM_UP_RUNS), String(RUNS));
    assert.equal(code, 0);
    const { warm, end, runs, handles } = JSON.parse(lines[0] ?? "") as Record<string, number>;
    assert.ok(warm !== undefined && end !== undefined);
    const growth = end - warm;
    assert.ok(growth < MAX_GROWTH_BYTES, `it grew by ${(growth / 1024 / 1024).toFixed(1)} MiB`);
    assert.equal(runs, 0);
    // The collector takes what it wants; handles that were never let go would be all of them.
    assert.ok((handles ?? RUNS) < RUNS / 10, `${handles} handles are left`);
    assert.equal(exchanges.length, WARM_UP_RUNS + RUNS);
  });

  it("that forgets a run has it cancelled: the model's socket closes", async () => {
    const { exchanges } = await model((exchange) => exchange.text("endless"));
    const { lines, code } = await script("abandon");
    assert.deepEqual({ lines, code }, { lines: ["streaming 1", "gone"], code: 0 });
    await exchanges[0]?.hungUp;
  });

  it("that holds only the promise of the result gets it", async () => {
    await model((exchange) => {
      exchange.text("kept ");
      setTimeout(() => exchange.text("alive").finish(), 50);
    });
    assert.deepEqual(await script("await-result"), { lines: ["kept alive"], code: 0 });
  });

  it("with nothing more to do ends though a run is under way", async () => {
    const { exchanges } = await model((exchange) => exchange.text("endless"));
    assert.deepEqual(await script("leave"), { lines: ["streaming"], code: 0 });
    await exchanges[0]?.hungUp;
  });

  it("whose worker threads alone have the addon, one after the other, can run in each", async () => {
    const { url } = await model((exchange) => exchange.text("again").finish());
    const { lines, code } = await script("only-workers", url);
    assert.deepEqual({ lines, code }, { lines: Array(5).fill("again"), code: 0 });
  });
});

describe("a worker thread", { timeout: TEST_TIMEOUT_MS }, () => {
  it("runs with the variables of its own environment", async () => {
    const { url } = await model((exchange) => exchange.text("from a thread").finish());
    process.env.POLARIS_PRIMARY_BASE_URL = "http://127.0.0.1:1/not-this-one";
    const threads = Array.from({ length: 4 }, () => worker(url));
    const texts = await Promise.all(
      threads.map(
        (thread) =>
          new Promise<string>((settle, fail) => {
            thread.on("error", fail);
            thread.on("message", ({ result }: { result?: { text: string } }) => {
              if (result !== undefined) settle(result.text);
            });
          }),
      ),
    );
    assert.deepEqual(texts, Array(4).fill("from a thread"));
    await untilNoRunIsLeft();
  });

  it("that is terminated mid-stream takes its run with it, and no other", async () => {
    const { url, exchanges } = await model((exchange) => exchange.text("endless"));
    const own = startRun({
      job: "agent",
      payload: { messages: [{ role: "user", content: "mine" }] },
    });
    await own.nextBatch();
    const thread = worker(url);
    await once(thread, "message");
    assert.equal(diagnostics().runs, 2);
    await thread.terminate();
    await exchanges[1]?.hungUp;
    while (diagnostics().runs > 1) await new Promise(setImmediate);
    exchanges[0]?.text(" but mine").finish();
    assert.equal((await own.result()).text, "endless but mine");
    await untilNoRunIsLeft();
  });
});
