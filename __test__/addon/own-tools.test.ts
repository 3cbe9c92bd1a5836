// Tools of one's own as a task defines them: what the model is told of them, what they get, and that
// nothing a tool does ends or holds up a run that it should not.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import {
  ConfigError,
  defineTool,
  type Event,
  FatalToolError,
  type OwnTool,
  PolarisError,
  type RunOptions,
  startRun,
  type ToolContext,
  ToolError,
} from "polaris-agent";
import { z } from "zod";
import { type ModelServer, startModelServer, useModel } from "./model-server.ts";

let server: ModelServer | undefined;

afterEach(close);

async function close(): Promise<void> {
  await server?.close();
  server = undefined;
}

/** A run whose model makes these calls in its first turn and answers in its second. */
async function run(
  tools: NonNullable<RunOptions["tools"]>,
  calls: readonly (readonly [name: string, args: unknown])[],
  more: Omit<RunOptions, "tools"> = {},
) {
  await close();
  server = await startModelServer((exchange) => {
    if (exchange.request.messages.at(-1)?.role === "tool") exchange.text("Done.").finish();
    else {
      for (const [index, [name, args]] of calls.entries()) {
        exchange.toolCall(index, `call_${index}`, name, args);
      }
      exchange.finish("tool_calls");
    }
  });
  useModel(server.url);
  const payload = { messages: [{ role: "user" as const, content: "go" }], files: { "a.txt": "A" } };
  return startRun({ job: "agent", payload, options: { ...more, tools } });
}

interface Told {
  result: string;
  isError: boolean;
  bytes: number;
}

/** What the model was told, in the order of the calls. */
async function told(...args: Parameters<typeof run>): Promise<Told[]> {
  const started = await run(...args);
  const events: Event[] = [];
  for await (const event of started.events()) events.push(event);
  assert.equal((await started.result()).text, "Done.");
  const results = events.filter((event) => event.type === "tool-result");
  const sent = server?.exchanges.at(-1)?.request.messages.filter(({ role }) => role === "tool");
  assert.deepEqual(
    sent?.map(({ content }) => content),
    results.map(({ result }) => result),
  );
  return results.map(({ result, isError, bytes }) => ({ result, isError, bytes }));
}

async function answerOf(tool: OwnTool, args: unknown = {}, more?: Parameters<typeof run>[2]) {
  const [answer] = await told([tool], [[tool.name, args]], more);
  assert.ok(answer !== undefined);
  return answer;
}

function plain(
  execute: (args: Record<string, unknown>, context: ToolContext) => unknown,
  more = {},
) {
  const parameters = { type: "object", properties: {} };
  return defineTool({ name: "mine", description: "Mine.", parameters, execute, ...more });
}

describe("a tool of one's own", () => {
  it("is told to the model, gets what its schema read, and answers with text or JSON", async () => {
    const got: unknown[] = [];
    const weather = defineTool({
      name: "weather",
      description: "The weather of a city.",
      parameters: z.object({ city: z.string(), days: z.number().int().default(3) }),
      execute: async ({ city, days }, { signal, projectId, runId, idempotencyKey }) => {
        got.push({ city, days, aborted: signal.aborted, projectId, runId });
        assert.match(idempotencyKey, /^run_1:\d+$/);
        return { city: city.toUpperCase(), days };
      },
    });
    const text = plain(() => "as it is");
    const answers = await told(
      [weather, text],
      [
        ["weather", { city: "Ulm" }],
        ["mine", {}],
      ],
      { runId: "run_1" },
    );
    assert.deepEqual(answers, [
      { result: '{"city":"ULM","days":3}', isError: false, bytes: 23 },
      { result: "as it is", isError: false, bytes: 8 },
    ]);
    assert.deepEqual(got, [
      { city: "Ulm", days: 3, aborted: false, projectId: undefined, runId: "run_1" },
    ]);
    const tools = server?.exchanges[0]?.request.tools as
      | { function: { name: string; description: string; parameters: Record<string, unknown> } }[]
      | undefined;
    assert.deepEqual(
      tools?.map((tool) => tool.function.name),
      ["weather", "mine"],
    );
    const { description, parameters } = tools?.[0]?.function ?? {};
    assert.equal(description, "The weather of a city.");
    assert.deepEqual(parameters?.required, ["city"]);
  });

  it("stands beside the job's own, and takes the place of one where it says so", async () => {
    const replacing = defineTool({
      name: "readFile",
      description: "Read a file our way.",
      replaces: true,
      parameters: z.object({ path: z.string() }),
      execute: ({ path }) => `ours: ${path}`,
    });
    const answers = await told(
      ["*", "!deleteFile", replacing],
      [
        ["readFile", { path: "a.txt" }],
        ["listFiles", {}],
        ["deleteFile", { path: "a.txt" }],
      ],
    );
    assert.deepEqual(
      answers.map(({ result }) => result.split(".")[0]),
      ["ours: a", "[file] a", 'Error: there is no tool "deleteFile"'],
    );
  });

  it("is not run with arguments that do not fit, and the model is told which", async () => {
    const strict = defineTool({
      name: "strict",
      description: "Strict.",
      parameters: z.object({ at: z.object({ line: z.number() }) }),
      execute: () => assert.fail("it ran"),
    });
    const schema = defineTool({
      name: "schema",
      description: "By a JSON schema.",
      parameters: {
        type: "object",
        properties: {
          kind: { enum: ["a", "b"] },
          lines: { type: "array", items: { type: "integer" } },
        },
        required: ["kind"],
        additionalProperties: false,
      },
      execute: () => "ran",
    });
    const [one, two, three, four] = await told(
      [strict, schema],
      [
        ["strict", { at: { line: "x" } }],
        ["schema", { kind: "c", lines: [1, 2.5], more: 1 }],
        ["schema", {}],
        ["schema", { kind: "a", lines: [1] }],
      ],
    );
    assert.match(
      one?.result ?? "",
      /^Error: invalid arguments for strict: `at\.line`: .*not run\.$/,
    );
    assert.equal(
      two?.result,
      'Error: invalid arguments for schema: `kind`: expected one of "a", "b"; `lines.1`: expected integer, got number; `more`: is no parameter. The tool was not run.',
    );
    assert.match(three?.result ?? "", /`kind`: is missing/);
    assert.deepEqual(four, { result: "ran", isError: false, bytes: 3 });
  });

  it("that throws tells the model why, whatever it throws", async () => {
    const unspeakable = new Proxy(new Error("x"), {
      get: () => {
        throw new Error("no");
      },
    });
    for (const [thrown, text] of [
      [new TypeError("no such city"), "Error: mine failed: no such city"],
      ["only text", "Error: mine failed: only text"],
      [{ code: 7 }, 'Error: mine failed: {"code":7}'],
      [undefined, "Error: mine failed: undefined"],
      [unspeakable, "Error: mine failed: it threw something that has no words"],
    ] as const) {
      const sync = plain(() => {
        throw thrown;
      });
      assert.deepEqual(await answerOf(sync), { result: text, isError: true, bytes: text.length });
    }
  });

  it("that marks its error as fatal ends the run, with the error as the cause", async () => {
    const gone = new FatalToolError("the account is closed");
    const busy = new FatalToolError("the database is away", { retryable: true });
    const marked = Object.assign(new Error("marked"), { fatal: true });
    for (const [thrown, code, retryable] of [
      [gone, "TOOL_FATAL", false],
      [busy, "TOOL_UNAVAILABLE", true],
      [marked, "TOOL_FATAL", false],
    ] as const) {
      const fatal = plain(() => Promise.reject(thrown));
      const error = await (await run([fatal], [["mine", {}]])).result().catch((error) => error);
      assert.ok(error instanceof ToolError, String(error));
      assert.deepEqual([error.code, error.retryable], [code, retryable]);
      assert.equal(error.message, `mine: ${thrown.message}`);
      assert.equal(error.cause, thrown);
    }
  });

  it("that hangs is stopped by its deadline, is told so, and a late answer counts for nothing", async () => {
    let late: (value: string) => void = () => undefined;
    const signals: AbortSignal[] = [];
    const never = plain(
      (_args, { signal }) => {
        signals.push(signal);
        return new Promise<string>((settle) => {
          late = settle;
        });
      },
      { timeoutMs: 30 },
    );
    const { result, isError } = await answerOf(never);
    assert.equal(result, "Error: mine timed out: it took longer than 30 ms and was stopped.");
    assert.ok(isError && signals.every(({ aborted }) => aborted));
    late("too late");
  });

  it("has its signal aborted when the run is cancelled, and the run ends without it", async () => {
    let begun: (signal: AbortSignal) => void = () => undefined;
    const signalled = new Promise<AbortSignal>((settle) => {
      begun = settle;
    });
    const never = plain((_args, { signal }) => {
      begun(signal);
      return new Promise(() => undefined);
    });
    const started = await run([never], [["mine", {}]]);
    const ended = started.result().catch((error: unknown) => error);
    const signal = await signalled;
    assert.equal(signal.aborted, false);
    const aborted = new Promise<void>((settle) => {
      signal.addEventListener("abort", () => settle());
    });
    started.cancel();
    await aborted;
    const error = await ended;
    assert.ok(error instanceof PolarisError && error.code === "CANCELLED", String(error));
  });

  it("whose result is circular, no JSON or nothing at all says so", async () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    for (const [value, text, isError] of [
      [
        circular,
        /^Error: mine failed: it ran, but its result cannot be written as JSON: .*circular/,
        true,
      ],
      [{ n: 1n }, /cannot be written as JSON: .*BigInt/, true],
      [() => 1, /^Error: mine failed: it ran, but its result is a function$/, true],
      [undefined, /^mine is done\.$/, false],
      [null, /^null$/, false],
      ["", /^$/, false],
    ] as const) {
      const answer = await answerOf(plain(() => value));
      assert.match(answer.result, text);
      assert.equal(answer.isError, isError);
    }
  });

  it("that returns 50 MB is shown with both ends and the size that it had", async () => {
    const huge = `begin\n${"😀".repeat(12_500_000)}\nend`;
    const { result, isError, bytes } = await answerOf(plain(() => huge));
    assert.ok(!isError && bytes < 70_000, `${bytes} bytes`);
    assert.ok(result.startsWith("begin\n😀") && result.endsWith("😀\nend"));
    assert.match(result, /\[… \d+ of 50000010 bytes left out …\]/);
    assert.ok(!result.includes("\ufffd"), "no half character");
    const small = await answerOf(plain(() => huge, { maxResultBytes: 100 }));
    assert.ok(small.bytes < 200, `${small.bytes} bytes`);
  });

  it("runs beside others only where it says that it changes nothing", async () => {
    const most = async (readOnly: boolean) => {
      let [now, top] = [0, 0];
      const counted = plain(
        async ({ n }) => {
          now += 1;
          top = Math.max(top, now);
          await new Promise((settle) => setImmediate(settle));
          now -= 1;
          return `call ${n}`;
        },
        { readOnly },
      );
      const calls = Array.from({ length: 4 }, (_, n) => ["mine", { n }] as const);
      await told([counted], calls);
      return top;
    };
    assert.equal(await most(false), 1);
    assert.ok((await most(true)) > 1);
  });
});

describe("a tool that cannot be offered is refused before the model is asked", () => {
  const parameters = { type: "object" };
  const refused: Record<string, [() => OwnTool, RegExp]> = {
    "the name of a built-in one": [
      () => defineTool({ name: "readFile", description: "x", parameters, execute: () => "" }),
      /"readFile" is a tool of this job; set `replaces: true`/,
    ],
    "a name that no model can call": [
      () => defineTool({ name: "read a file", description: "x", parameters, execute: () => "" }),
      /a name is 1 to 64/,
    ],
    "no description": [
      () => defineTool({ name: "mine", description: "", parameters, execute: () => "" }),
      /description is blank/,
    ],
    "no object": [
      () => defineTool({ name: "mine", description: "x", parameters: {}, execute: () => "" }),
      /JSON schema of an object/,
    ],
    "a schema without a JSON schema": [
      () =>
        defineTool({
          name: "mine",
          description: "x",
          parameters: { "~standard": { version: 1, validate: (value) => ({ value }) } },
          execute: () => "",
        }),
      /give it beside `parameters` as `jsonSchema`/,
    ],
    "what defineTool did not make": [
      () => ({ name: "mine", description: "x", parameters }) as unknown as OwnTool,
      /use what defineTool returns/,
    ],
  };
  for (const [name, [make, says]] of Object.entries(refused)) {
    it(name, async () => {
      await assert.rejects(
        async () => (await run([make()], [])).result(),
        (error) => error instanceof ConfigError && says.test(error.message),
      );
      assert.deepEqual(server?.exchanges ?? [], []);
    });
  }
});
