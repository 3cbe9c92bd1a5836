// A message from `send` to its final text, through the official CLI and SDK: tools, framing of the
// model's stream, and failures that are repeated inside an attempt or by the runner.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { keepsInterval, timerWrites } from "../../local/commands/demo/message.ts";
import type { FramingScript } from "../../local/model/script.ts";
import { DEMO_PROJECT } from "../../local/stack/demo-project.ts";
import { assertEnded, callsOf, messages, type Sent, World } from "./fixtures/world.ts";

let world: World;
before(async () => {
  world = await World.start("message");
});
after(() => world?.close());

const STORY = 'Größe zählt nicht: 完成 🎉, naïve café — Zeile.\nNext line, \\ and "quotes". ';

/** What the tools of the last request told the model, in order. */
async function toldToModel(sent: Sent): Promise<{ id: string; content: string }[]> {
  const last = (await sent.requests()).at(-1);
  assert.ok(last !== undefined);
  const { messages } = last.body as {
    messages: { role: string; content: string; tool_call_id: string }[];
  };
  return messages
    .filter(({ role }) => role === "tool")
    .map(({ tool_call_id: id, content }) => ({ id, content }));
}

describe("a message with tool calls", () => {
  const written = "export const grüße = '🎉';\n";
  const calls = {
    structure: { id: "call_structure", name: "getProjectStructure", args: {} },
    list: { id: "call_list", name: "listFiles", args: { path: "src" } },
    read: { id: "call_read", name: "readFile", args: { path: "./README.md" } },
    write: {
      id: "call_write",
      name: "writeFile",
      args: { path: "src/new/grüße.ts", content: written },
    },
    delete: { id: "call_delete", name: "deleteFile", args: { path: "/src/styles.css" } },
  };
  const results: Record<string, string> = {
    call_structure: Object.keys(DEMO_PROJECT).sort().join("\n"),
    call_list: "[file] App.tsx\n[file] main.tsx\n[file] styles.css",
    call_read: DEMO_PROJECT["README.md"] ?? "",
    call_write: "Successfully wrote to src/new/grüße.ts",
    call_delete: "Successfully deleted /src/styles.css",
  };
  const texts = ["Let me look. ", "Reading: ", "", "Now I change it. ", STORY.repeat(6)];
  let sent: Sent;

  before(async () => {
    sent = await world.send("Use all five tools", [
      { text: texts[0], toolCalls: [calls.structure, calls.list] },
      { text: texts[1], toolCalls: [calls.read] },
      { toolCalls: [calls.write] },
      { text: texts[3], toolCalls: [calls.delete] },
      { text: texts[4], chunkChars: 3, deltasPerSecond: 100 },
    ]);
    await sent.final();
  });

  it("ends completed, in one attempt, with exactly the model's text", async () => {
    const message = await sent.now();
    assert.equal(message.content, texts.join(""));
    assert.equal(message.content, (await sent.requests()).map(({ text }) => text).join(""));
    assertEnded(await sent.commits(), "completed");
    assert.deepEqual(
      [await sent.runStatus(), await sent.attempts()],
      ["COMPLETED_SUCCESSFULLY", 1],
    );
    assert.equal(message.triggerRunId, sent.runId);
  });

  it("stores each call as the tool got it and each result as the model was told it", async () => {
    const toolCalls = callsOf(await sent.now());
    assert.deepEqual(
      toolCalls.map(({ id, name, args, result }) => ({ id, name, args, result })),
      Object.values(calls).map((call) => ({ ...call, result: results[call.id] })),
    );
    assert.deepEqual(
      await toldToModel(sent),
      toolCalls.map(({ id, result }) => ({ id, content: result })),
    );
  });

  it("changes the project's files", async () => {
    const files = new Map((await sent.files()).map(({ path, content }) => [path, content]));
    assert.equal(files.get("src/new/grüße.ts"), written);
    assert.ok(!files.has("src/styles.css"));
    assert.equal(files.get("README.md"), DEMO_PROJECT["README.md"]);
  });

  it("writes the growing text at most once each 100 ms", async () => {
    const timer = timerWrites(await sent.commits());
    assert.ok(timer.length >= 3, `only ${timer.length} writes while it streamed`);
    assert.ok(
      keepsInterval(timer.map(({ at }) => at)),
      `writes at ${timer.map(({ at }) => Math.round(at - (timer[0]?.at ?? 0))).join(", ")} ms`,
    );
  });

  it("sends the prompt file byte for byte, and all tools", async () => {
    const prompt = await readFile(new URL("../../prompts/process-message.md", import.meta.url));
    for (const { body } of await sent.requests()) {
      const { messages, tools } = body as {
        messages: { role: string; content: string }[];
        tools: { function: { name: string } }[];
      };
      assert.deepEqual(
        [messages[0]?.role, Buffer.from(messages[0]?.content ?? "").equals(prompt)],
        ["system", true],
      );
      assert.deepEqual(messages[1], { role: "user", content: sent.text });
      assert.deepEqual(
        tools.map((tool) => tool.function.name),
        [
          ...["readFile", "writeFile", "deleteFile", "listFiles", "getProjectStructure"],
          ...["findSymbol", "getReferences", "getDiagnostics", "goToDefinition"],
          ...["searchFiles", "searchCodebase", "findFilesByPattern"],
          ...["executeCommand", "getRelevantFiles"],
        ],
      );
    }
  });
});

describe("a message that looks at the code", () => {
  const button =
    'import { App } from "@/App";\nexport const Shell = () => <App />;\nexport type Grüße = typeof App;\n';
  const write = {
    id: "call_write",
    name: "writeFile",
    args: { path: "src/shell/Shell.tsx", content: button },
  };
  /** What each tool is asked after the write, and what it says. */
  const asked: Record<string, { args: Record<string, unknown>; says: string | RegExp }> = {
    findSymbol: {
      args: { query: "App", kind: "function" },
      says: "Found 1 symbol(s):\n[function] App - src/App.tsx:5:17",
    },
    getReferences: {
      args: { path: "src/App.tsx", line: 5, column: 17 },
      says: /^Found 6 reference\(s\).*:\n\[write\] src\/App\.tsx:5:17 - export function App\(\) \{\n\[write\] src\/main\.tsx:3:10 .*\n\[read\] src\/main\.tsx:11:6 - <App \/>\n\[write\] src\/shell\/Shell\.tsx:1:10 .*\n\[read\] src\/shell\/Shell\.tsx:2:29 .*\n\[read\] src\/shell\/Shell\.tsx:3:28 .*$/,
    },
    getDiagnostics: {
      args: { path: "src/shell/Shell.tsx", severity: "error" },
      says: /^No diagnostics found for src\/shell\/Shell\.tsx with severity "error"\./,
    },
    goToDefinition: {
      args: { path: "src/shell/Shell.tsx", line: 2, column: 31 },
      says: /^Definition found.*:\n {2}src\/App\.tsx:5:17\n {2}function: App\n {2}export function App\(\) \{$/,
    },
    searchFiles: {
      args: { pattern: "Grüße|\\(greeting", filePattern: "*.{ts,tsx}", caseSensitive: true },
      says: /^Found 2 match\(es\):\nsrc\/App\.tsx:10:17 - setGreeting.*\nsrc\/shell\/Shell\.tsx:3:13 - export type Grüße/,
    },
    searchCodebase: {
      args: { patternType: "import", searchTerm: "app" },
      says: '[import] @/App - src/shell/Shell.tsx:1\n    import { App } from "@/App";',
    },
    findFilesByPattern: {
      args: { pattern: "src/**/*.tsx" },
      says: 'Found 3 file(s) matching "src/**/*.tsx":\nsrc/App.tsx\nsrc/main.tsx\nsrc/shell/Shell.tsx',
    },
    getRelevantFiles: {
      args: { query: "greeting", currentFile: "src/App.tsx", maxFiles: 2 },
      says: /^Found 2 relevant file\(s\):\n1\. src\/\S+ \[score: [\d.]+\] \(.*Imports current file.*\)\n2\. /,
    },
  };
  let results: Map<string, unknown>;

  before(async () => {
    const calls = Object.entries(asked).map(([name, { args }]) => ({
      id: `call_${name}`,
      name,
      args,
    }));
    const sent = await world.send("Use all tools for code", [
      { toolCalls: [write] },
      { toolCalls: calls },
      { text: "Done." },
    ]);
    await sent.final();
    assertEnded(await sent.commits(), "completed");
    results = new Map(callsOf(await sent.now()).map(({ name, result }) => [name, result]));
  });

  for (const [name, { says }] of Object.entries(asked)) {
    it(`${name} answers, and knows what was written a turn before`, () => {
      const result = String(results.get(name));
      if (typeof says === "string") assert.ok(result.includes(says), result);
      else assert.match(result, says);
    });
  }
});

it("however the model's stream is framed, the stored text is the same", async () => {
  const framings: Record<string, FramingScript & { done?: false }> = {
    "one byte a write": { oneByteWrites: true },
    "split inside characters": { splitUtf8: true },
    CRLF: { crlf: true },
    "comments between events": { comments: true },
    "no [DONE]": { noDone: true },
    "all at once": {
      oneByteWrites: true,
      crlf: true,
      comments: true,
      bom: true,
      noSpaceAfterColon: true,
      noDone: true,
      noFinalBlankLine: true,
    },
  };
  await Promise.all(
    Object.entries(framings).map(async ([name, framing]) => {
      const sent = await world.send(name, [{ text: STORY, chunkChars: 5, framing }]);
      const { content, status } = await sent.final();
      assert.deepEqual([status, content], ["completed", STORY], name);
      assert.equal((await sent.requests()).length, 1, name);
    }),
  );
});

describe("a failure that passes", () => {
  it("with Retry-After is repeated in the attempt, not before its time", async () => {
    const sent = await world.send("Too many requests", [
      { fail: { status: 429, headers: { "retry-after": "2" }, body: { error: { code: 429 } } } },
      { text: "Here you are." },
    ]);
    const { content, status } = await sent.final();
    assert.deepEqual([status, content], ["completed", "Here you are."]);
    assert.equal(await sent.attempts(), 1);
    const [first, second, ...more] = await sent.modelLog("request");
    assert.deepEqual(more, []);
    const pause = (second?.at ?? 0) - (first?.at ?? 0);
    assert.ok(pause >= 2_000, `asked again after ${pause} ms`);
  });

  it("in the middle of the stream is repeated in the attempt, and no text comes twice", async () => {
    const text = STORY.repeat(4);
    const turn = { text, chunkChars: 4, deltasPerSecond: 100 };
    const sent = await world.send("Cut in the middle", [
      { ...turn, fail: { cutAfterDeltas: 30 } },
      { ...turn, fail: { resetAfterDeltas: 40 } },
      turn,
    ]);
    const { content, status } = await sent.final();
    assert.deepEqual([status, content], ["completed", text]);
    assert.deepEqual([await sent.attempts(), (await sent.requests()).length], [1, 3]);
    const commits = await sent.commits();
    assertEnded(commits, "completed");
    const longest = Math.max(...commits.map(({ textLength = 0 }) => textLength));
    assert.equal(longest, text.length, "never more text than there is");
  });

  it("of a whole attempt is repeated by the runner, without a word of it to the user", async () => {
    const [first, last] = ["I look at the file. ", STORY];
    const read = { id: "call_once", name: "readFile", args: { path: "README.md" } };
    const start = { text: first, toolCalls: [read] };
    const partial = { text: last, chunkChars: 4, deltasPerSecond: 100 };
    const sent = await world.send(
      "Fail a whole attempt",
      [start, { ...partial, fail: { cutAfterDeltas: 12 } }],
      { by: "position" },
    );
    // The third answer that was cut ends the attempt; the next one meets a model that works.
    await world.model.waitFor({ type: "finished", contains: sent.text, count: 4, timeout: 60_000 });
    await world.script(sent.text, [start, partial], { by: "position" });
    const message = await sent.final();
    const { content, status } = message;
    assert.deepEqual([status, content], ["completed", first + last]);
    assert.deepEqual(
      callsOf(message).map(({ id, result }) => [id, result]),
      [["call_once", DEMO_PROJECT["README.md"]]],
    );
    assert.equal(await sent.attempts(), 2);
    const commits = await sent.commits();
    assertEnded(commits, "completed");
    const longest = Math.max(...commits.map(({ textLength = 0 }) => textLength));
    assert.equal(longest, content.length, "never more text than there is");
    assert.deepEqual(await world.sentry.events(), [], "a retried attempt is not reported");
  });
});

it("a store that refuses calls and loses answers gets everything once", async () => {
  const written = { path: "notes/a.txt", content: "Once.\n" };
  const call = { id: "call_write", name: "writeFile", args: written };
  const texts = ["I write it. ", STORY.repeat(4)];
  const conversation = await world.conversation("A bad line to the store");
  const { conversationId, text } = conversation;
  await world.script(text, [
    { text: texts[0], toolCalls: [call] },
    { text: texts[1], chunkChars: 4, deltasPerSecond: 100 },
  ]);
  await world.convex.faults(
    { path: "system:beginMessage", dropReplyRate: 1, count: 1 },
    { path: "system:getMessageContext", status: 503, retryAfter: 0.1, count: 1 },
    { path: "system:saveToolCalls", dropReplyRate: 1, count: 3 },
    { path: "system:saveToolCalls", status: 503, count: 1 },
    { path: "system:*MessageContent", dropReplyRate: 1, count: 3 },
    { path: "system:*MessageContent", dropReplyRate: 0.3 },
  );
  try {
    const sent = world.follow({
      ...conversation,
      ...(await messages.send({ conversationId, message: text })),
    });
    const message = await sent.final();
    assert.deepEqual([message.status, message.content], ["completed", texts.join("")]);
    assert.deepEqual(callsOf(message), [{ ...call, result: "Successfully wrote to notes/a.txt" }]);
    const commits = await sent.commits();
    assertEnded(commits, "completed");
    const longest = Math.max(...commits.map(({ textLength = 0 }) => textLength));
    assert.equal(longest, message.content.length, "never more text than there is");
    assert.deepEqual([await sent.attempts(), (await sent.requests()).length], [1, 2]);
    const events = await world.convex.table<{ projectId: string; message: string }>(
      "generationEvents",
    );
    assert.deepEqual(
      events.filter((each) => each.projectId === sent.projectId).map((each) => each.message),
      ["Wrote notes/a.txt"],
    );
    const lost = (await world.convex.calls()).filter(({ dropped }) => dropped).length;
    assert.ok(lost >= 7, `only ${lost} answers were lost`);
  } finally {
    await world.convex.faults();
  }
});

it("no message of all these was written to after its end", () => world.assertOneEndEach());
