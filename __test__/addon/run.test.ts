// The package as its users call it, against a model that the test plays: what streams, what a tool
// does, what cancelling closes, and which errors come out.

import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type AgentPayload,
  CancelledError,
  ConfigError,
  diagnostics,
  type Event,
  ModelError,
  PayloadError,
  PolarisError,
  type RunOptions,
  startRun,
  TimeoutError,
} from "polaris-agent";
import { packageRoot } from "../../npm/src/native.ts";
import { type Exchange, type ModelServer, startModelServer, useModel } from "./model-server.ts";

const HELLO: AgentPayload = { messages: [{ role: "user", content: "hello" }] };

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

function run(payload: AgentPayload = HELLO, options?: RunOptions) {
  return startRun({ job: "agent", payload, options });
}

function texts(events: readonly Event[]): string[] {
  return events.flatMap((event) => (event.type === "text" ? [event.text] : []));
}

describe("a run", () => {
  it("streams its text and gives the whole of it as its result", async () => {
    await model((exchange) => exchange.text("Hel").text("lo ").text("🌍").finish());
    const started = run();
    const events: Event[] = [];
    for await (const event of started.events()) events.push(event);
    assert.equal(texts(events).join(""), "Hello 🌍");
    const { status, text, steps } = await started.result();
    assert.deepEqual({ status, text, steps }, { status: "completed", text: "Hello 🌍", steps: 1 });
    assert.equal(events.at(-1)?.type, "status");
    assert.equal(await started.nextBatch(), null, "after the end there is nothing more");
  });

  it("reads what stands in for process.env, whatever its values are", async () => {
    const { url, exchanges } = await model((exchange) => exchange.text("read").finish());
    const own = process.env;
    const standIn = {
      POLARIS_PRIMARY_BASE_URL: url,
      POLARIS_PRIMARY_MODEL: 42,
      POLARIS_X: undefined,
    };
    try {
      process.env = standIn as unknown as NodeJS.ProcessEnv;
      assert.equal((await run().result()).text, "read");
      const why = "cannot be read";
      const unreadable = {
        get POLARIS_X() {
          throw new Error(why);
        },
      };
      process.env = unreadable as unknown as NodeJS.ProcessEnv;
      assert.throws(() => run(), new RegExp(why));
    } finally {
      process.env = own;
    }
    assert.equal(exchanges[0]?.request.model, "42");
  });

  const linux = process.platform === "linux" ? false : "commands run on Linux only";
  it("gives commands the Node that the worker finds first", { skip: linux }, async () => {
    const { exchanges } = await model((exchange) => {
      if (exchange.request.messages.at(-1)?.role === "tool") exchange.text("Done.").finish();
      else exchange.toolCall(0, "c", "executeCommand", { command: "node -v" }).finish("tool_calls");
    });
    // Not below the system's folder for temporary files: a command has one of its own.
    const folder = join(packageRoot, ".polaris", `node-${process.pid}`);
    const path = process.env.PATH;
    mkdirSync(folder, { recursive: true });
    try {
      writeFileSync(join(folder, "node"), "#!/bin/sh\necho the first one\n", { mode: 0o755 });
      process.env.PATH = `${folder}:${path}`;
      await run({ ...HELLO, files: { "a.js": "" } }).result();
    } finally {
      process.env.PATH = path;
      rmSync(folder, { recursive: true });
    }
    assert.match(String(exchanges[1]?.request.messages.at(-1)?.content), /the first one/);
  });

  it("hands over every delta by itself when asked to, and joins them otherwise", async () => {
    const deltas = Array.from({ length: 200 }, (_, index) => `${index} `);
    await model((exchange) => {
      for (const delta of deltas) exchange.text(delta);
      exchange.finish();
    });
    const count = async (options?: RunOptions) => {
      const events: Event[] = [];
      for await (const event of run(HELLO, options).events()) events.push(event);
      assert.equal(texts(events).join(""), deltas.join(""));
      return texts(events).length;
    };
    assert.equal(await count({ deltas: "each" }), deltas.length);
    assert.ok((await count({ deltas: "coalesced" })) < deltas.length / 4);
  });

  it("lets the model work on files in memory and returns them", async () => {
    const { exchanges } = await model((exchange) => {
      if (exchange.request.messages.at(-1)?.role === "tool") exchange.text("Done.").finish();
      else
        exchange
          .toolCall(0, "call_1", "writeFile", { path: "a.txt", content: "new" })
          .finish("tool_calls");
    });
    const started = run({ ...HELLO, files: { "a.txt": "old", "b.txt": "b" } });
    const events: Event[] = [];
    for await (const event of started.events()) events.push(event);
    const result = await started.result();
    assert.deepEqual(result.files, { "a.txt": "new", "b.txt": "b" });
    assert.equal(result.toolCalls, 1);
    const [call, answer] = ["tool-call", "tool-result"].map((type) =>
      events.find((e) => e.type === type),
    );
    assert.ok(call?.type === "tool-call" && answer?.type === "tool-result");
    assert.deepEqual([call.name, call.args], ["writeFile", { path: "a.txt", content: "new" }]);
    assert.equal(answer.isError, false);
    assert.equal(exchanges[1]?.request.messages.at(-1)?.tool_call_id, "call_1");
  });

  it("needs nobody to read its events", async () => {
    await model((exchange) => exchange.text("unheard").finish());
    assert.equal((await run().result()).text, "unheard");
  });

  it("leaves the JavaScript thread free while it streams", { timeout: 20_000 }, async () => {
    // The model goes on only when a timer of this very thread fires.
    await model((exchange) => {
      exchange.text("one ");
      setTimeout(() => exchange.text("two").finish(), 20);
    });
    const started = run();
    const order: string[] = [];
    const timer = sleep(1).then(() => order.push("timer"));
    const [{ text }] = await Promise.all([
      started.result().finally(() => order.push("result")),
      started.nextBatch(),
      timer,
    ]);
    assert.equal(text, "one two");
    assert.deepEqual(order, ["timer", "result"]);
  });

  it("reads a hundred answers side by side, each whole and in order", async () => {
    const answers = 100;
    const open: Exchange[] = [];
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((settle) => {
      begin = settle;
    });
    await model((exchange) => {
      exchange.text("first ");
      if (open.push(exchange) === answers) begin();
    });
    const reading = Array.from({ length: answers }, async () => {
      const events: Event[] = [];
      for await (const event of run().events()) events.push(event);
      return events;
    });
    await begun;
    const parts = Array.from({ length: 40 }, (_, part) => `${part} `);
    for (const part of parts) {
      for (const exchange of open) exchange.text(part);
      await new Promise((settle) => setImmediate(settle));
    }
    for (const exchange of open) exchange.finish();
    for (const events of await Promise.all(reading)) {
      assert.equal(texts(events).join(""), `first ${parts.join("")}`);
      assert.equal(events.at(-1)?.type, "status");
    }
  });

  it("gives several callers of nextBatch their turns and all of them the end", async () => {
    await model((exchange) => exchange.text("x").finish());
    const started = run();
    await started.result();
    const batches = await Promise.all(Array.from({ length: 5 }, () => started.nextBatch()));
    assert.equal(texts(batches.flatMap((batch) => batch ?? [])).join(""), "x");
    assert.ok(batches.includes(null));
  });

  it("keeps their turns, and loses nothing, when it ends while JavaScript is busy", async () => {
    const order: string[] = [];
    const events: Event[] = [];
    const ask = async (name: string) => {
      events.push(...((await started.nextBatch()) ?? []));
      order.push(name);
    };
    let asked: (second: Promise<unknown>) => void;
    const second = new Promise((settle) => {
      asked = settle;
    });
    await model((exchange) => {
      exchange.text("x").finish();
      setImmediate(() => {
        // What has come for the first caller lies ready, and is not there yet.
        const nothing = new Int32Array(new SharedArrayBuffer(4));
        while (diagnostics().runs > 0) Atomics.wait(nothing, 0, 0, 1);
        asked(ask("second"));
      });
    });
    const started = run();
    await Promise.all([ask("first"), second]);
    assert.deepEqual(order, ["first", "second"]);
    for await (const event of started.events()) events.push(event);
    assert.equal(texts(events).join(""), "x");
    assert.equal(events.at(-1)?.type, "status");
  });
});

describe("cancelling", () => {
  it("closes the model's socket and rejects the result", async () => {
    const { exchanges } = await model((exchange) => exchange.text("partial"));
    const started = run();
    await started.nextBatch();
    started.cancel();
    await exchanges[0]?.hungUp;
    await assert.rejects(started.result(), (error) => {
      assert.ok(error instanceof CancelledError);
      assert.deepEqual([error.code, error.retryable], ["CANCELLED", false]);
      return true;
    });
    while ((await started.nextBatch()) !== null);
  });

  it("for the time limit says so, and the first reason counts", async () => {
    await model((exchange) => exchange.text("partial"));
    const started = run();
    started.cancel("timeout");
    started.cancel("cancelled");
    await assert.rejects(started.result(), (error) => error instanceof TimeoutError);
  });

  it("after the end changes nothing", async () => {
    await model((exchange) => exchange.text("all").finish());
    const started = run();
    await started.result();
    started.cancel();
    assert.equal((await started.result()).status, "completed");
  });
});

describe("an error", () => {
  const failure = async (promise: Promise<unknown>): Promise<PolarisError> => {
    const error: unknown = await promise.then(
      () => assert.fail("it did not fail"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof PolarisError, String(error));
    return error;
  };

  it("of the provider has code, class, status, hint, cause of its fate and a stack", async () => {
    await model((exchange) => exchange.refuse(401, "no such key"));
    const error = await failure(run().result());
    assert.ok(error instanceof ModelError && !(error instanceof ConfigError));
    const { name, code, retryable, status } = error;
    assert.deepEqual(
      { name, code, retryable, status },
      { name: "ModelError", code: "MODEL_AUTH", retryable: false, status: 401 },
    );
    assert.match(error.hint, /key/);
    assert.match(error.stack ?? "", /run\.test\.ts/);
  });

  it("carries the breadcrumbs of the run, which no log line repeats", async () => {
    await model((exchange) => exchange.refuse(402, "pay"));
    const error = await failure(run().result());
    assert.equal(error.breadcrumbs.at(-1)?.message, "MODEL_PAYMENT");
    assert.ok(!Object.keys(error).includes("breadcrumbs"));
    assert.ok(!JSON.stringify(error).includes("breadcrumbs"));
  });

  it("of the network has the innermost cause", async () => {
    const { url, close } = await startModelServer(() => undefined);
    await close();
    useModel(url);
    const error = await failure(run(HELLO, { limits: { modelRetries: 0 } }).result());
    assert.deepEqual([error.code, error.retryable], ["MODEL_CONNECT", true]);
    assert.ok(error.cause instanceof Error);
    assert.match(error.cause.message, /refused/i);
  });

  it("of a missing variable names it", async () => {
    for (const name of Object.keys(process.env)) {
      if (/^(POLARIS_|OPENROUTER_)/.test(name)) delete process.env[name];
    }
    // An empty value counts as unset.
    process.env.OPENROUTER_API_KEY = "";
    const error = await failure(run().result());
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, "CONFIG_MISSING");
    assert.match(error.message, /OPENROUTER_API_KEY/);
  });

  it("of a payload or an option says which field", async () => {
    await model((exchange) => exchange.text("never asked").finish());
    const payload = { messages: "none" } as unknown as AgentPayload;
    const bad = await failure(run(payload).result());
    assert.ok(bad instanceof PayloadError);
    assert.match(bad.message, /payload\.messages/);
    assert.throws(
      () => run(HELLO, { limits: { maxStep: 1 } } as unknown as RunOptions),
      (error) => error instanceof ConfigError && /options\.limits.*maxStep/.test(error.message),
    );
    const unknownTool = await failure(
      run({ ...HELLO, files: {} }, { tools: ["deleteAll"] }).result(),
    );
    assert.ok(unknownTool instanceof ConfigError, unknownTool.code);
    assert.match(unknownTool.message, /deleteAll/);
    assert.throws(
      () => startRun({ job: "agent", payload: { messages: [], n: 1n } as unknown as AgentPayload }),
      (error) => error instanceof PayloadError && error.cause instanceof TypeError,
    );
    assert.equal(server?.exchanges.length, 0, "the model was not asked");
  });

  it("is an instance of the same class of another copy of the package", async () => {
    await model((exchange) => exchange.refuse(401, "no"));
    const error = await failure(run().result());
    const require = createRequire(import.meta.url);
    const file = require.resolve("polaris-agent");
    delete require.cache[file];
    const copy = require(file) as typeof import("polaris-agent");
    assert.notEqual(copy.ModelError, ModelError);
    assert.ok(error instanceof copy.ModelError && error instanceof copy.PolarisError);
    assert.ok(!(error instanceof copy.ConfigError));
    assert.ok(!(new Error("other") instanceof copy.PolarisError));
    class Own extends ModelError {}
    assert.ok(!(error instanceof Own));
  });
});
