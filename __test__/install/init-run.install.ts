// Projects that init has moved over, at work: their own route triggers the task, the official CLI runs it
// on the local stack, the model gets the app's own prompt byte for byte, with its numbers and under its
// name, the app's own tools run, and the answer stands in the app's own Convex tables. And Stop stops.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { type Exchange, type ModelServer, startModelServer } from "../addon/model-server.ts";
import { common, ORDER_ARGS, ORDER_RESULT, old, PROMPT, several } from "./init-fixtures.ts";
import { Migrations } from "./init-projects.ts";
import { bareEnv, command, type Project, ROOT } from "./packed.ts";

interface Facts {
  convex: { url: string; internalKey: string };
  worker: { tasks: string[] };
  variables: Record<string, string>;
}

interface Message {
  status: string;
  content: string;
  triggerRunId?: string;
  toolCalls?: { name: string; args: unknown; result?: unknown }[];
}

let migrations: Migrations;
let model: ModelServer;
/** What the model does with a request; set by each test. */
let answer: (exchange: Exchange) => void = () => undefined;

before(async () => {
  migrations = await Migrations.open();
  model = await startModelServer((exchange) => answer(exchange));
});
after(async () => {
  await model?.close();
  await migrations?.close();
});

class Running {
  readonly app: Project;
  readonly facts: Facts;
  readonly #child: ChildProcess;
  readonly #route: string;

  private constructor(app: Project, route: string, facts: Facts, child: ChildProcess) {
    this.app = app;
    this.facts = facts;
    this.#route = join(app.path, route);
    this.#child = child;
  }

  /** `npx polaris-agent dev --json` in the project, until it says that all runs. */
  static async start(app: Project, route: string): Promise<Running> {
    const child = spawn(process.execPath, [migrations.program, "dev", "--json"], {
      cwd: app.path,
      env: {
        ...bareEnv(join(app.path, "home")),
        POLARIS_PRIMARY_BASE_URL: model.url,
        POLARIS_PRIMARY_PROTOCOL: "openai-chat",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    const facts = await new Promise<Facts>((settle, fail) => {
      createInterface({ input: child.stdout }).once("line", (line) => settle(JSON.parse(line)));
      child.once("exit", (code) =>
        fail(new Error(`ended with ${code} before it was ready\n${errors}`)),
      );
    });
    return new Running(app, route, facts, child);
  }

  async close(): Promise<void> {
    const ended = new Promise((settle) => this.#child.once("exit", settle));
    this.#child.kill("SIGINT");
    await ended;
  }

  /** A function of the module that init has added. */
  async store<T>(kind: "query" | "mutation", name: string, args: object): Promise<T> {
    const { url, internalKey } = this.facts.convex;
    const response = await fetch(`${url}/api/${kind}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        path: `polaris/system:${name}`,
        args: { internalKey, ...args },
        format: "json",
      }),
    });
    const { value, errorMessage } = (await response.json()) as { value: T; errorMessage?: string };
    assert.equal(errorMessage, undefined);
    return value;
  }

  /** A question and the empty answer to it, as the app's page stores them. */
  async ask(content: string): Promise<string> {
    const projectId = await this.store<string>("mutation", "createProject", {
      name: "shop",
      ownerId: "me",
    });
    const conversationId = await this.store<string>("mutation", "createConversation", {
      projectId,
      title: "t",
    });
    const message = { projectId, conversationId };
    await this.store("mutation", "createMessage", { ...message, role: "user", content });
    const status = "processing";
    return await this.store("mutation", "createMessage", {
      ...message,
      role: "assistant",
      content: "",
      status,
    });
  }

  /** The app's own route, in a process of its own, as its server would run it. */
  async route(method: "POST" | "DELETE", messageId: string): Promise<unknown> {
    const file = this.app.write(
      "call-route.mts",
      `const [file, method, messageId] = process.argv.slice(2);
       const handlers = await import(file);
       const response = await handlers[method](new Request("http://app/api/messages", {
         method, body: JSON.stringify({ messageId }) }));
       console.log(JSON.stringify(await response.json()));`,
    );
    const tsx = pathToFileURL(join(ROOT, "node_modules/tsx/dist/loader.mjs")).href;
    const { code, stdout, output } = await command(
      process.execPath,
      ["--import", tsx, file, this.#route, method, messageId],
      { cwd: this.app.path, env: { ...bareEnv(this.app.path), ...this.facts.variables } },
    );
    assert.equal(code, 0, output);
    return JSON.parse(stdout);
  }

  async message(messageId: string): Promise<Message> {
    return await this.store("query", "getMessageById", { messageId });
  }

  async ended(messageId: string): Promise<Message> {
    const limit = Date.now() + 60_000;
    for (;;) {
      const message = await this.message(messageId);
      if (message.status !== "processing") return message;
      if (Date.now() > limit) throw new Error(`it is still ${JSON.stringify(message)}`);
      await new Promise((settle) => setTimeout(settle, 50));
    }
  }
}

const PROJECTS = [
  {
    name: "an AI SDK app with src/ and an alias",
    files: common,
    route: "src/app/api/messages/route.ts",
    model: "anthropic/claude-sonnet-4.5",
    numbers: { max_tokens: 1500, temperature: 0.3 },
    tools: ["lookupOrder", "readFile", "writeFile"],
  },
  {
    name: "an agent kit app with functions elsewhere",
    files: old,
    route: "app/api/messages/route.ts",
    model: "claude-opus-4-20250514",
    numbers: { max_tokens: 3000, temperature: 0.1 },
    tools: ["listFiles", "lookupOrder"],
  },
  {
    name: "an app with other functions, which stay, and another sign-in",
    files: several,
    route: "src/app/api/messages/route.ts",
    model: "openai/gpt-5-mini",
    numbers: { max_tokens: 2000, temperature: 0 },
    tools: ["lookupOrder"],
  },
];

for (const { name, files, route, model: wanted, numbers, tools } of PROJECTS) {
  describe(`${name}, moved over`, () => {
    let running: Running;

    before(async () => {
      const app = migrations.installed(files);
      const { status, stdout, stderr } = migrations.init(app, "--yes");
      assert.equal(status, 0, `${stdout}${stderr}`);
      running = await Running.start(app, route);
    });
    after(async () => {
      await running?.close();
    });

    it("has its tasks", () => {
      assert.deepEqual(running.facts.worker.tasks.toSorted(), [
        "generate-project",
        "generation-step",
        "process-message",
      ]);
    });

    it("answers a message with its own prompt, model, numbers and tools", async () => {
      const first = model.exchanges.length;
      answer = (exchange) => {
        if (exchange.request.messages.some(({ role }) => role === "tool")) {
          exchange.text("It is ").text("on its way.").finish();
        } else exchange.toolCall(0, "call_1", "lookupOrder", ORDER_ARGS).finish("tool_calls");
      };
      const messageId = await running.ask("Where is A-17?");
      const { eventId } = (await running.route("POST", messageId)) as { eventId: string };
      const message = await running.ended(messageId);
      assert.deepEqual([message.status, message.content], ["completed", "It is on its way."]);
      assert.equal(message.triggerRunId, eventId);
      const requests = model.exchanges.slice(first).map(({ request }) => request);
      assert.equal(requests.length, 2);
      for (const request of requests) {
        const [system] = request.messages;
        assert.deepEqual(system, { role: "system", content: PROMPT });
        assert.equal(request.model, wanted);
        const { max_tokens, temperature } = request as unknown as typeof numbers;
        assert.deepEqual({ max_tokens, temperature }, numbers);
        const offered = request.tools?.map((tool) => tool.function.name) ?? [];
        assert.deepEqual(offered.toSorted(), tools);
      }
      const result = requests[1]?.messages.find(({ role }) => role === "tool")?.content;
      assert.equal(result, ORDER_RESULT);
      const [call] = message.toolCalls ?? [];
      assert.deepEqual(
        [call?.name, call?.args, call?.result],
        ["lookupOrder", ORDER_ARGS, ORDER_RESULT],
      );
    });

    it("stops a message by its own route", async () => {
      const asked = new Promise<Exchange>((settle) => {
        answer = (exchange) => {
          exchange.text("half");
          settle(exchange);
        };
      });
      const messageId = await running.ask("And B-2?");
      await running.route("POST", messageId);
      const exchange = await asked;
      await running.route("DELETE", messageId);
      await exchange.hungUp;
      assert.equal((await running.ended(messageId)).status, "cancelled");
    });
  });
}
