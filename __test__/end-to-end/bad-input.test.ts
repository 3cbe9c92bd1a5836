// What the product makes of messages that are not there, variables that are not set, providers that
// refuse and models that talk nonsense; and that the report of it says enough, once, and no secret.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { api } from "../../app/convex/_generated/api.js";
import { type Cli, startCli } from "../../local/control-plane/cli.ts";
import { REPOSITORY } from "../../local/stack/index.ts";
import type { processMessage } from "../../trigger/tasks/process-message.ts";
import {
  assertEnded,
  callsOf,
  type Message,
  type Sent,
  type Turns,
  World,
} from "./fixtures/world.ts";

const canary = (about: string) => `canary-${about}-${randomUUID()}`;
const MODEL_KEY = canary("model-key");
/** Beside it, what else a worker may be given; the core is told of the first, and not of the second. */
const WORKER_SECRETS = {
  POLARIS_NPM_REGISTRY_TOKEN: canary("registry-token"),
  DATABASE_PASSWORD: canary("database"),
};
/** What a provider sends along. */
const HEADER_SECRET = canary("header");
/** What a file of somebody else's project holds: it stands in the store, and nowhere else. */
const OTHER_PROJECT = canary("other-project");
const FAILURE_TEXT = /^I'm sorry, an error occurred/;

let world: World;
const begun = Date.now();
/** Runs that failed for good, with the code that they failed with. */
const failures = new Map<string, string>();
/** What the runs were given, none of which may be in a report. */
const payloads: string[] = [];
/** What users wrote. */
const texts: string[] = [];

before(async () => {
  world = await World.start("bad-input", {
    env: { POLARIS_PRIMARY_API_KEY: MODEL_KEY, ...WORKER_SECRETS },
  });
});
after(() => world?.close());

async function send(about: string, turns: Turns, more?: { loop: boolean }): Promise<Sent> {
  const sent = await world.send(about, turns, more);
  payloads.push(sent.messageId);
  texts.push(sent.text);
  return sent;
}

/** Starts the task as it is, without a message of its own. */
async function trigger(payload: Record<string, string>): Promise<string> {
  const { id } = await world.trigger.tasks.trigger<typeof processMessage>(
    "process-message",
    payload as { messageId: string },
  );
  payloads.push(...Object.values(payload));
  await world.runs.until("finished", id);
  return id;
}

async function assertFailed(runId: string, code: string, attempts = 1): Promise<string> {
  failures.set(runId, code);
  const run = await world.trigger.runs.retrieve(runId);
  const { message = "" } = run.error ?? {};
  assert.deepEqual([run.status, run.attemptCount], ["FAILED", attempts], message);
  assert.ok(message.startsWith(`${code}: `), message);
  assert.doesNotMatch(message, /\n/, "one line");
  return message;
}

async function modelCalls(): Promise<number> {
  return (await world.model.requests()).length;
}

describe("a run for a message", () => {
  it("that does not exist, or is none, fails at once without asking the model", async () => {
    const { conversationId, projectId } = await world.conversation("No message");
    const asked = await modelCalls();
    for (const messageId of [`no-${randomUUID()}`, conversationId, projectId, ""]) {
      await assertFailed(await trigger({ messageId }), "MESSAGE_NOT_FOUND");
    }
    assert.equal(await modelCalls(), asked);
  });

  it("of the user fails at once and leaves it alone", async () => {
    const sent = await send("I am the user", [{ text: "An answer." }]);
    await sent.final();
    const messages = await world.convex.table<Message>("messages");
    const mine = messages.find(({ role, content }) => role === "user" && content === sent.text);
    assert.ok(mine !== undefined);
    const asked = await modelCalls();
    await assertFailed(await trigger({ messageId: mine._id }), "NOT_AN_ASSISTANT_MESSAGE");
    assert.equal(await modelCalls(), asked);
    assert.deepEqual(
      (await world.convex.table<Message>("messages")).find(({ _id }) => _id === mine._id),
      mine,
    );
  });

  it("that is final does nothing", async () => {
    const sent = await send("Answer me once", [{ text: "Once." }]);
    const message = await sent.final();
    const commits = await sent.commits();
    const asked = await modelCalls();
    const run = await world.trigger.runs.retrieve(await trigger({ messageId: sent.messageId }));
    assert.equal(run.status, "COMPLETED");
    assert.equal(await modelCalls(), asked);
    assert.deepEqual([await sent.now(), await sent.commits()], [message, commits]);
  });

  it("with a payload of another shape fails at once", async () => {
    await assertFailed(await trigger({ message: "hello" }), "PAYLOAD_INVALID");
  });
});

describe("a provider that refuses", () => {
  for (const [status, code] of [
    [401, "MODEL_AUTH"],
    [402, "MODEL_PAYMENT"],
    [403, "MODEL_AUTH"],
  ] as const) {
    it(`with ${status} fails the message after one call`, async () => {
      // As some providers do, it repeats the key that it refuses.
      const body = {
        error: { message: `Incorrect API key provided: ${MODEL_KEY}.`, code: status },
      };
      const headers = { "x-request-id": HEADER_SECRET, "set-cookie": `session=${HEADER_SECRET}` };
      const fail = { status, headers, body };
      const sent = await send(`Refused with ${status}`, [{ fail, repeat: 9 }]);
      const { content, status: ended } = await sent.final();
      assert.equal(ended, "failed");
      assert.match(content, FAILURE_TEXT);
      assertEnded(await sent.commits(), "failed");
      const [request, ...more] = await sent.modelLog("request");
      assert.deepEqual([request?.headers?.authorization, more], ["(set)", []]);
      await assertFailed(sent.runId, code);
    });
  }
});

it("a stream that breaks, errs or ends without a reason is never an answer", async () => {
  const text = "Half of an answer. ".repeat(12);
  const turn = { text, chunkChars: 4, deltasPerSecond: 200 };
  const cases: [string, string, Turns[number]][] = [
    ["Cut", "MODEL_STREAM_CUT", { ...turn, fail: { cutAfterDeltas: 40 } }],
    ["Error inside", "MODEL_UNAVAILABLE", { ...turn, fail: { errorChunkAfterDeltas: 40 } }],
    ["No finish reason", "MODEL_STREAM_CUT", { ...turn, finish: null }],
  ];
  await Promise.all(
    cases.map(async ([name, code, failing]) => {
      const sent = await send(name, [failing], { loop: true });
      const { content, status } = await sent.final();
      assert.equal(status, "failed", name);
      assert.ok(content !== "" && text.startsWith(content), `${name}: ${content}`);
      assertEnded(await sent.commits(), "failed");
      await assertFailed(sent.runId, code, 3);
      assert.equal((await sent.requests()).length, 9, `${name}: three in each attempt`);
    }),
  );
});

it("arguments that are no JSON or do not fit do not run the tool, and the model is told", async () => {
  const toolCalls = [
    { id: "call_cut", name: "writeFile", argsRaw: '{"path": "a.txt", "content": "x' },
    { id: "call_lacks", name: "writeFile", args: { path: "b.txt" } },
    { id: "call_type", name: "readFile", args: { path: 5 } },
    { id: "call_more", name: "deleteFile", args: { path: "README.md", force: true } },
    { id: "call_none", name: "dropTables", args: {} },
  ];
  const sent = await send("Call tools badly", [{ toolCalls }, { text: "I give up." }]);
  const message = await sent.final();
  const stored = callsOf(message);
  assert.deepEqual([message.status, message.content], ["completed", "I give up."]);
  const [triggered] = await world.runs.of(sent.runId, "triggered");
  const since = (await world.convex.calls()).filter(({ at }) => at > (triggered?.at ?? 0));
  const fileCalls = since.filter(
    ({ path, documentsChanged }) =>
      /:(read|write|delete)FileByPath$/.test(path) || documentsChanged.includes(sent.projectId),
  );
  assert.deepEqual(fileCalls, []);
  const [, second] = await sent.requests();
  assert.ok(second !== undefined);
  const { messages } = second.body as {
    messages: { role: string; content: string; tool_call_id: string }[];
  };
  const told = messages.filter(({ role }) => role === "tool");
  assert.deepEqual(
    told.map(({ tool_call_id: id, content: result }) => [id, result]),
    stored.map(({ id, result }) => [id, result]),
  );
  const wrong = { call_cut: /JSON/, call_lacks: /content/, call_type: /path/, call_more: /force/ };
  for (const [id, names] of Object.entries({ ...wrong, call_none: /dropTables/ })) {
    const result = told.find(({ tool_call_id }) => tool_call_id === id)?.content ?? "";
    assert.match(result, /^Error/, id);
    assert.match(result, names, id);
  }
});

/** Looks for secrets wherever a command may look, and prints all that it can read. */
const HUNT = `
const fs = require("fs"), path = require("path");
const seen = [JSON.stringify(process.env)];
const read = (file) => { try { seen.push(file + ": " + fs.readFileSync(file, "latin1")); } catch {} };
const walk = (folder, depth) => {
  let entries = [];
  try { entries = fs.readdirSync(folder, { withFileTypes: true }); } catch {}
  for (const entry of entries) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) { if (depth > 0) walk(file, depth - 1); } else read(file);
  }
};
for (const pid of fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name)))
  for (const file of ["environ", "cmdline", "mem", "maps"]) read("/proc/" + pid + "/" + file);
for (const folder of PLACES) walk(folder, 4);
fetch(CONVEX).then((answer) => answer.text()).then((text) => seen.push(text), () => {}).then(() => {
  const lines = seen.join("\\n").split("\\n").filter((line) => line.includes("canary" + "-"));
  console.log(seen.length + " places looked at, found: " + lines.join("\\n"));
});
`;

it("a command that looks for secrets finds none", async () => {
  const other = await world.conversation("Somebody else's");
  await world.store.mutation(api.system.writeFileByPath, {
    internalKey: world.internalKey,
    projectId: other.projectId,
    path: "secret.txt",
    content: OTHER_PROJECT,
  });
  const places = JSON.stringify([world.stack.state, REPOSITORY, tmpdir(), "/root", "/home"]);
  const content = HUNT.replace("PLACES", places).replace(
    "CONVEX",
    JSON.stringify(world.stack.admin("convex").url),
  );
  const commands = ["node hunt.cjs", "npm config list", "git config --list --show-origin"];
  const sent = await send("Look for secrets", [
    { toolCalls: [{ id: "call_hunt", name: "writeFile", args: { path: "hunt.cjs", content } }] },
    {
      toolCalls: commands.map((command, n) => ({
        id: `call_${n}`,
        name: "executeCommand",
        args: { command },
      })),
    },
    { text: "There are none." },
  ]);
  const message = await sent.final();
  assert.equal(message.content, "There are none.");
  const [, hunt, npm, git] = callsOf(message).map(({ result }) => String(result));
  assert.match(hunt ?? "", /^[1-9]\d* places looked at, found: *(\n|$)/);
  assert.match(npm ?? "", /offline = true/);
  assert.match(git ?? "", /user\.|init\.|core\./);
});

describe("a variable that is not set", () => {
  let cli: Cli | undefined;
  before(() => world.stack.kill("cli"));
  after(() => cli?.close());

  /** The CLI as before, but for some variables; an empty value counts as unset. */
  async function workersWith(branch: string, env: Record<string, string>): Promise<void> {
    await cli?.close();
    const { adminKey } = world.stack.admin("control-plane");
    const { env: known, state } = world.stack;
    cli = await startCli({
      cwd: REPOSITORY,
      home: join(state, "home"),
      branch: `${branch}-${process.pid}`,
      env: { ...known, ...env },
      onLine: (line) => world.cliLines.push(line),
      controlPlane: {
        url: known.TRIGGER_API_URL ?? "",
        accessToken: known.TRIGGER_ACCESS_TOKEN ?? "",
        secretKey: known.TRIGGER_SECRET_KEY ?? "",
        projectRef: known.TRIGGER_PROJECT_REF ?? "",
        adminKey,
      },
    });
  }

  it("for the model fails the message without retry and is named", async () => {
    await workersWith("no-key", { POLARIS_PRIMARY_BASE_URL: "", POLARIS_PRIMARY_API_KEY: " " });
    const sent = await send("No key", [{ text: "Never." }]);
    const { content, status } = await sent.final();
    assert.equal(status, "failed");
    assert.match(content, FAILURE_TEXT);
    assert.match(await assertFailed(sent.runId, "CONFIG_MISSING"), /OPENROUTER_API_KEY is not set/);
    assert.deepEqual(await sent.requests(), []);
  });

  it("for the store fails the run without retry and is named; the message is found", async () => {
    await workersWith("no-url", { CONVEX_URL: "", NEXT_PUBLIC_CONVEX_URL: "" });
    const sent = await send("No URL", [{ text: "Never." }]);
    await world.runs.until("finished", sent.runId);
    assert.match(await assertFailed(sent.runId, "CONFIG_MISSING"), /CONVEX_URL.* is not set/);
    await world.stack.repair();
    assert.equal((await sent.final()).status, "failed");
    assert.deepEqual(await sent.requests(), []);
  });
});

describe("the reports of all these", () => {
  it("are one of each run that failed for good, with task, run and code", async () => {
    for (const runId of failures.keys()) await world.sentry.ofRun(runId);
    const events = await world.sentry.events();
    assert.deepEqual(new Map(events.map(({ tags = {} }) => [tags.runId, tags.code])), failures);
    assert.equal(events.length, failures.size);
    for (const { tags, exception } of events) {
      assert.equal(tags?.taskId, "process-message");
      assert.equal(exception?.values?.length, 1);
    }
  });

  it("hold no payload", async () => {
    const raw = await world.sentry.raw();
    for (const [runId] of failures) assert.ok(raw.includes(runId), "the sweep sees what was sent");
    for (const text of [...payloads, ...texts].filter((each) => each !== "")) {
      assert.ok(!raw.includes(text), `a report holds ${text}`);
    }
  });

  it("hold no secret, and neither do the runner, the store or the logs", async () => {
    const { state } = world.stack;
    const places: Record<string, string> = {
      reports: await world.sentry.raw(),
      "the worker's log": world.cliLines.join("\n"),
    };
    for (const folder of ["control-plane", "convex"]) {
      for (const file of await readdir(join(state, folder), { recursive: true })) {
        // The file of the installation's keys, for their owner alone.
        if (/key/.test(file)) continue;
        const bytes = await readFile(join(state, folder, file)).catch(() => undefined);
        if (bytes !== undefined) places[`${folder}/${file}`] = bytes.toString("latin1");
      }
    }
    const everything = Object.values(places).join("");
    assert.ok(everything.includes([...failures.keys()][0] ?? "?"), "the sweep sees the runs");
    assert.ok(everything.includes("dropTables"), "the sweep sees the messages");
    const secrets = [MODEL_KEY, ...Object.values(WORKER_SECRETS), HEADER_SECRET, world.internalKey];
    for (const secret of secrets) {
      assert.ok(secret.length > 16);
      const found = Object.keys(places).filter((place) => places[place]?.includes(secret));
      assert.deepEqual(found, []);
    }
    const told = JSON.stringify(await world.convex.table("messages"));
    assert.match(told, /\d places looked at/, "the sweep sees what commands printed");
    assert.ok(![...secrets, OTHER_PROJECT].some((secret) => told.includes(secret)));
    const holding = Object.keys(places).filter((place) => places[place]?.includes(OTHER_PROJECT));
    assert.ok(
      holding.length > 0 && holding.every((place) => place.startsWith("convex/")),
      `${holding}`,
    );
    // What a run leaves on disk: folders of commands and packages, and whatever else it made.
    for (const name of await readdir(tmpdir())) {
      const folder = join(tmpdir(), name);
      const born = (await stat(folder).catch(() => undefined))?.birthtimeMs ?? 0;
      if (!/^polaris-([0-9a-f]{16}|packages-)/.test(name) || born < begun) continue;
      for (const file of await readdir(folder, { recursive: true }).catch(() => [])) {
        const bytes = await readFile(join(folder, file)).catch(() => Buffer.of());
        const text = bytes.toString("latin1");
        assert.ok(![...secrets, OTHER_PROJECT].some((secret) => text.includes(secret)), file);
      }
    }
    // What users write is for the store alone.
    for (const text of texts) {
      const found = Object.keys(places).filter((place) => places[place]?.includes(text));
      assert.ok(
        found.length > 0 && found.every((place) => place.startsWith("convex/")),
        `${found}`,
      );
    }
  });
});
