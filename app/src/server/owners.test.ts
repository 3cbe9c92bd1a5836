// What owners may do through Convex, and what nobody else may: the functions of projects,
// conversations, files and messages, over `convex-test`.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { ConvexError } from "convex/values";
import { convexTest, type TestConvex } from "convex-test";
import { letFarTimersGo } from "../../../__test__/far-timers.ts";
import { api } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import { tells } from "../../convex/model/generation";
import { LOCAL_ISSUER } from "../../convex/model/issuers";
import schema from "../../convex/schema";

const KEY = "owners-test-key";
const MODULES = {
  "../../convex/_generated/api.js": () => import("../../convex/_generated/api.js"),
  "../../convex/conversations.ts": () => import("../../convex/conversations"),
  "../../convex/files.ts": () => import("../../convex/files"),
  "../../convex/leases.ts": () => import("../../convex/leases"),
  "../../convex/messages.ts": () => import("../../convex/messages"),
  "../../convex/projects.ts": () => import("../../convex/projects"),
  "../../convex/removals.ts": () => import("../../convex/removals"),
  "../../convex/system.ts": () => import("../../convex/system"),
  "../../convex/users.ts": () => import("../../convex/users"),
};

letFarTimersGo();
process.env.POLARIS_CONVEX_INTERNAL_KEY = KEY;

const key = { internalKey: KEY };
let convex: TestConvex<typeof schema>;
let anna: ReturnType<TestConvex<typeof schema>["withIdentity"]>;
let ben: typeof anna;

beforeEach(() => {
  convex = convexTest(schema, MODULES);
  anna = convex.withIdentity({ subject: "anna", issuer: LOCAL_ISSUER, email: "anna@example.com" });
  ben = convex.withIdentity({ subject: "ben", issuer: LOCAL_ISSUER });
});

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConvexError, String(error));
  return (error.data as { code: string }).code;
}

async function project(name = "Shop"): Promise<Id<"projects">> {
  return await anna.mutation(api.projects.create, { name });
}

async function conversation() {
  const projectId = await project();
  const conversationId = await anna.mutation(api.conversations.create, {
    projectId,
    title: "First",
  });
  return { projectId, conversationId };
}

async function send(conversationId: string, message = "hello") {
  return await convex.mutation(api.system.startMessage, { ...key, conversationId, message });
}

async function finish(messageId: Id<"messages">, content = "done"): Promise<void> {
  await convex.mutation(api.system.updateMessageContent, { ...key, messageId, content });
}

async function write(projectId: string, path: string, content = "x"): Promise<void> {
  await convex.mutation(api.system.writeFileByPath, { ...key, projectId, path, content });
}

async function level(projectId: string, parentId?: string) {
  const where = parentId === undefined ? { projectId } : { projectId, parentId };
  return await anna.query(api.files.getFolderContents, where);
}

async function idOf(projectId: string, ...path: string[]): Promise<Id<"files">> {
  let id: Id<"files"> | undefined;
  for (const name of path) {
    const row = (await level(projectId, id)).find((entry) => entry.name === name);
    assert.ok(row !== undefined, name);
    id = row._id;
  }
  assert.ok(id !== undefined);
  return id;
}

describe("another user, and nobody", () => {
  it("meet the same answer whether something is missing or somebody else's", async () => {
    const { projectId, conversationId } = await conversation();
    const { messageId } = await send(conversationId);
    await write(projectId, "a.txt");
    const fileId = await idOf(projectId, "a.txt");
    const calls: [(as: typeof anna, ids: Record<string, string>) => Promise<unknown>, string][] = [
      [(as, { p = "" }) => as.query(api.projects.getById, { id: p }), "PROJECT"],
      [(as, { p = "" }) => as.query(api.projects.getGenerationEvents, { projectId: p }), "PROJECT"],
      [(as, { p = "" }) => as.query(api.projects.getGeneration, { projectId: p }), "PROJECT"],
      [(as, { p = "" }) => as.mutation(api.projects.rename, { id: p, name: "x" }), "PROJECT"],
      [(as, { p = "" }) => as.mutation(api.projects.deleteProject, { id: p }), "PROJECT"],
      [(as, { p = "" }) => as.query(api.conversations.getByProject, { projectId: p }), "PROJECT"],
      [
        (as, { p = "" }) => as.mutation(api.conversations.create, { projectId: p, title: "x" }),
        "PROJECT",
      ],
      [(as, { c = "" }) => as.query(api.conversations.getById, { id: c }), "CONVERSATION"],
      [
        (as, { c = "" }) => as.query(api.conversations.getMessages, { conversationId: c }),
        "CONVERSATION",
      ],
      [(as, { c = "" }) => as.query(api.messages.newest, { conversationId: c }), "CONVERSATION"],
      [(as, { m = "" }) => as.query(api.messages.streaming, { messageId: m }), "MESSAGE"],
      [(as, { p = "" }) => as.query(api.files.getFolderContents, { projectId: p }), "PROJECT"],
      [
        (as, { p = "" }) =>
          as.query(api.files.getFiles, {
            projectId: p,
            paginationOpts: { numItems: 1, cursor: null },
          }),
        "PROJECT",
      ],
      [
        (as, { p = "" }) =>
          as.mutation(api.files.createFile, { projectId: p, name: "n", content: "" }),
        "PROJECT",
      ],
      [
        (as, { p = "" }) => as.mutation(api.files.createFolder, { projectId: p, name: "n" }),
        "PROJECT",
      ],
      [(as, { f = "" }) => as.query(api.files.getFile, { id: f }), "FILE"],
      [(as, { f = "" }) => as.query(api.files.getFilePath, { id: f }), "FILE"],
      [(as, { f = "" }) => as.mutation(api.files.updateFile, { id: f, content: "!" }), "FILE"],
      [(as, { f = "" }) => as.mutation(api.files.renameFile, { id: f, newName: "b" }), "FILE"],
      [(as, { f = "" }) => as.mutation(api.files.deleteFile, { id: f }), "FILE"],
    ];
    const ids = { p: projectId, c: conversationId, m: messageId, f: fileId };
    for (const [call, what] of calls) {
      const text = call.toString();
      assert.equal(await codeOf(call(ben, ids)), `${what}_NOT_FOUND`, text);
      assert.equal(await codeOf(call(anna, {})), `${what}_NOT_FOUND`, text);
      assert.equal(await codeOf(call(convex as typeof anna, ids)), "UNAUTHORIZED", text);
    }
    assert.deepEqual(await ben.query(api.projects.get, {}), []);
    assert.equal((await anna.query(api.files.getFile, { id: fileId })).content, "x");
  });
});

describe("projects", () => {
  it("are listed by their last update", async () => {
    const first = await project("first");
    await project("second");
    await new Promise((settle) => setImmediate(settle));
    await convex.run(async (ctx) => ctx.db.patch(first, { updatedAt: Date.now() + 5_000 }));
    const names = (await anna.query(api.projects.get, {})).map(({ name }) => name);
    assert.deepEqual(names, ["first", "second"]);
    const [newest] = await anna.query(api.projects.getPartial, { limit: 1 });
    assert.equal(newest?.name, "first");
  });

  it("are as many as the user's plan says; the developer of this machine has no limit", async () => {
    const paying = convex.withIdentity({ subject: "carl", issuer: "https://sign-in.example" });
    for (let i = 0; i < 10; i++) await paying.mutation(api.projects.create, { name: `p${i}` });
    const refused = paying.mutation(api.projects.create, { name: "one more" });
    assert.equal(await codeOf(refused), "PROJECT_LIMIT_REACHED");
    await assert.rejects(refused, /Project limit reached\./);
    for (let i = 0; i < 12; i++) await project(`p${i}`);
  });

  it("need a name of sensible length", async () => {
    for (const name of ["", "  ", "x".repeat(201)]) {
      assert.equal(await codeOf(anna.mutation(api.projects.create, { name })), "INVALID_NAME");
    }
    const id = await project("before");
    await anna.mutation(api.projects.rename, { id, name: " after " });
    assert.equal((await anna.query(api.projects.getById, { id })).name, "after");
  });

  it("of one generation are one, however often it is asked for", async () => {
    const args = {
      name: "Shop",
      generationId: "gen-1",
      plan: "general" as const,
      description: "A shop for tea",
    };
    const first = await anna.mutation(api.projects.createForGeneration, args);
    const again = await anna.mutation(api.projects.createForGeneration, args);
    assert.deepEqual([first.isNew, again.isNew], [true, false]);
    assert.equal(first.projectId, again.projectId);
    const others = await ben.mutation(api.projects.createForGeneration, args);
    assert.notEqual(others.projectId, first.projectId, "an id of somebody else's says nothing");
    assert.deepEqual(await anna.query(api.projects.getGeneration, { projectId: first.projectId }), {
      generationId: "gen-1",
      status: "running",
      step: 0,
      of: 9,
      label: "Queued",
    });
  });

  it("show the newest lines of their log, oldest first", async () => {
    const projectId = await project();
    for (let i = 1; i <= 5; i++) {
      const line = { type: "info" as const, message: `line ${i}`, createdAt: i };
      await convex.mutation(api.system.appendGenerationEvent, { ...key, projectId, ...line });
    }
    const lines = await anna.query(api.projects.getGenerationEvents, { projectId, limit: 3 });
    assert.deepEqual(
      lines.map(({ message }) => message),
      ["line 3", "line 4", "line 5"],
    );
  });

  it("vanish at once when they are deleted, and everything in them after that", async (t) => {
    const { projectId, conversationId } = await conversation();
    const { messageId } = await send(conversationId);
    const before = await convex.run(async (ctx) => {
      // Six files of 900 KB are more than one batch.
      for (let i = 0; i < 6; i++) {
        await ctx.db.insert("files", {
          projectId,
          name: `big${i}`,
          type: "file",
          content: "x".repeat(900_000),
          updatedAt: 0,
        });
      }
      const storageId = await ctx.storage.store(new Blob(["png"]));
      await ctx.db.insert("files", { projectId, name: "b", type: "file", storageId, updatedAt: 0 });
      return { storageId };
    });
    await write(projectId, "a/b/c.txt");
    t.mock.timers.enable({ apis: ["setTimeout"] });
    await anna.mutation(api.projects.deleteProject, { id: projectId });
    assert.equal(
      await codeOf(anna.query(api.projects.getById, { id: projectId })),
      "PROJECT_NOT_FOUND",
    );
    assert.equal(
      await codeOf(anna.query(api.messages.streaming, { messageId })),
      "MESSAGE_NOT_FOUND",
    );
    const refused = send(conversationId);
    assert.equal(await codeOf(refused), "CONVERSATION_NOT_FOUND");
    const rows = () =>
      convex.run(async (ctx) => {
        const tables = ["files", "conversations", "messages", "generationEvents"] as const;
        const found = await Promise.all(tables.map((table) => ctx.db.query(table).collect()));
        return found.flat().length;
      });
    assert.ok((await rows()) > 0, "it takes more than one batch");
    await convex.finishAllScheduledFunctions(() => t.mock.timers.runAll());
    assert.equal(await rows(), 0);
    const blob = await convex.run(async (ctx) => ctx.storage.getUrl(before.storageId));
    assert.equal(blob, null);
  });
});

describe("a generation", () => {
  const begin = async () => {
    const { projectId } = await anna.mutation(api.projects.createForGeneration, {
      name: "Shop",
      generationId: "gen-1",
      plan: "general",
      description: "A shop for tea",
    });
    return projectId;
  };
  const log = async (projectId: string, type: "step" | "info" | "error", message: string) => {
    await convex.mutation(api.system.appendGenerationEvent, { ...key, projectId, type, message });
  };
  const state = (projectId: string) => anna.query(api.projects.getGeneration, { projectId });

  it("is followed by the lines of its log", async () => {
    const projectId = await begin();
    const seen: unknown[] = [];
    for (const [type, message] of [
      ["info", "Generation started (run_1)"],
      ["step", "Starting validate-input"],
      ["step", "Starting generate-config-files"],
      ["info", "generate-config-files emitted 4 tool call(s)"],
      ["step", "Completed generate-config-files"],
      ["step", "Starting verify-project"],
      ["step", "Completed verify-project"],
    ] as const) {
      await log(projectId, type, message);
      const { status, step, label } = await state(projectId);
      seen.push([status, step, label]);
    }
    assert.deepEqual(seen, [
      ["running", 0, "Queued"],
      ["running", 0, "Checking the description"],
      ["running", 1, "Configuration"],
      ["running", 1, "Configuration"],
      ["running", 1, "Configuration"],
      ["running", 9, "Verification"],
      ["completed", 9, "Completed"],
    ]);
    assert.equal((await state(await project())).status, "none");
  });

  it("that failed says why, and can be queued once more, once", async () => {
    const projectId = await begin();
    await log(projectId, "error", "generate-pages failed: the model is overloaded");
    assert.equal((await state(projectId)).status, "running", "the step may be tried again");
    await log(projectId, "error", "Generation failed: generate-pages: the model is overloaded");
    const failed = await state(projectId);
    assert.equal(failed.status, "failed");
    assert.match(failed.label, /the model is overloaded/);
    const again = () => convex.mutation(api.system.queueGenerationAgain, { ...key, projectId });
    assert.deepEqual(await again(), {
      generationId: "gen-1",
      plan: "general",
      description: "A shop for tea",
      queued: true,
    });
    assert.equal((await again())?.queued, false);
    assert.equal((await state(projectId)).status, "running");
  });

  it("that is stopped before its run is known is cancelled, and its run is told", async () => {
    const projectId = await begin();
    const stop = () => convex.mutation(api.system.stopGeneration, { ...key, projectId });
    assert.deepEqual(await stop(), { status: "cancelled" });
    const recorded = await convex.mutation(api.system.recordGenerationRun, {
      ...key,
      projectId,
      runId: "run_1",
    });
    assert.equal(recorded.status, "cancelled");
    assert.deepEqual(await stop(), { status: "cancelled", runId: "run_1" });
  });

  it("is told by no line that is somebody else's", () => {
    for (const message of ["Wrote Starting generate-pages", "Starting something-else", "Hello"]) {
      assert.equal(tells({ type: "step", message }), null);
    }
    assert.equal(tells({ type: "file", message: "Completed verify-project" }), null);
  });
});

describe("a conversation", () => {
  it("shows what is finished, and apart from it the newest answer", async () => {
    const { conversationId } = await conversation();
    const first = await send(conversationId, "one");
    await convex.mutation(api.system.beginMessage, {
      ...key,
      messageId: first.messageId,
      runId: "run_1",
      attempt: 1,
      resume: true,
    });
    await convex.mutation(api.system.streamMessageContent, {
      ...key,
      messageId: first.messageId,
      content: "half",
    });
    const list = () => anna.query(api.conversations.getMessages, { conversationId });
    const before = () =>
      anna.query(api.conversations.getMessages, { conversationId, withoutNewest: true });
    const newest = () => anna.query(api.messages.newest, { conversationId });
    const contents = (messages: { content: string }[]) => messages.map(({ content }) => content);
    assert.deepEqual(contents(await list()), ["one"]);
    assert.deepEqual(contents(await before()), ["one"]);
    const streamed = await newest();
    assert.deepEqual(
      [streamed?._id, streamed?.content, streamed?.status, streamed?.toolCalls],
      [first.messageId, "half", "processing", []],
    );
    await finish(first.messageId, "whole");
    assert.deepEqual(contents(await before()), ["one"]);
    const finished = await newest();
    assert.deepEqual([finished?.content, finished?.status], ["whole", "completed"]);
    assert.deepEqual(
      (await list()).map(({ role, content, status }) => [role, content, status]),
      [
        ["user", "one", undefined],
        ["assistant", "whole", "completed"],
      ],
    );
    const second = await send(conversationId, "two");
    assert.deepEqual(contents(await before()), ["one", "whole", "two"]);
    assert.equal((await newest())?._id, second.messageId);
  });

  it("shows an answer once, however it ended and whatever was written after it", async () => {
    const { conversationId, projectId } = await conversation();
    const where = { ...key, conversationId, projectId };
    const all = async () => {
      const before = { conversationId, withoutNewest: true };
      const list = await anna.query(api.conversations.getMessages, before);
      const newest = await anna.query(api.messages.newest, { conversationId });
      const shown = newest === null ? list : [...list, newest];
      const whole = await anna.query(api.conversations.getMessages, { conversationId });
      const finished = shown.filter(({ status }) => status !== "processing");
      assert.deepEqual(whole, finished);
      return shown.map(({ content, status }) => `${status ?? "said"}: ${content}`);
    };
    const { messageId } = await send(conversationId, "one");
    await convex.mutation(api.system.cancelMessage, { ...key, messageId, content: "half" });
    assert.deepEqual(await all(), ["said: one", "cancelled: half"]);
    const other = await send(conversationId, "two");
    assert.deepEqual(await all(), ["said: one", "cancelled: half", "said: two", "processing: "]);
    // Another server may write beside an answer.
    await convex.mutation(api.system.createMessage, { ...where, role: "user", content: "three" });
    const beside = ["said: one", "cancelled: half", "said: two", "said: three"];
    assert.deepEqual(await all(), [...beside, "processing: "]);
    await finish(other.messageId, "TWO");
    const four = [...beside.slice(0, 3), "completed: TWO", "said: three"];
    assert.deepEqual(await all(), four);
    // And may begin two: the one that is left is followed when the newer one has ended.
    const begin = { ...where, role: "assistant", content: "", status: "processing" } as const;
    await convex.mutation(api.system.createMessage, begin);
    const newer = await convex.mutation(api.system.createMessage, begin);
    const error = { code: "PROVIDER_ERROR", message: "The model is overloaded." };
    const failed = { ...key, messageId: newer, content: "no", status: "failed" as const, error };
    await convex.mutation(api.system.updateMessageContent, failed);
    assert.deepEqual(await all(), [...four, "failed: no", "processing: "]);
    const before = { conversationId, withoutNewest: true, limit: 2 };
    const two = await anna.query(api.conversations.getMessages, before);
    assert.deepEqual(
      two.map(({ content }) => content),
      ["three", "no"],
    );
  });

  it("keeps every message in the list, whatever the clock says", async (t) => {
    const { conversationId } = await conversation();
    // All of it within one millisecond.
    t.mock.method(Date, "now", () => 1_800_000_000_000);
    for (const text of ["one", "two", "three"]) {
      await finish((await send(conversationId, text)).messageId, text.toUpperCase());
    }
    const shown = await anna.query(api.conversations.getMessages, { conversationId });
    assert.deepEqual(
      shown.map(({ content }) => content),
      ["one", "ONE", "two", "TWO", "three", "THREE"],
    );
    const older = await anna.query(api.conversations.getMessages, {
      conversationId,
      before: shown[2]?._creationTime ?? 0,
    });
    assert.deepEqual(
      older.map(({ content }) => content),
      ["one", "ONE"],
    );
    const newest = await anna.query(api.conversations.getMessages, { conversationId, limit: 2 });
    assert.deepEqual(
      newest.map(({ content }) => content),
      ["three", "THREE"],
    );
    for (const limit of [0, -1, 0.5]) {
      const least = await anna.query(api.conversations.getMessages, { conversationId, limit });
      assert.equal(least.length, 1);
    }
  });

  it("says why an answer failed, beside what there was of it", async () => {
    const { conversationId } = await conversation();
    const { messageId } = await send(conversationId);
    const error = { code: "PROVIDER_ERROR", message: "The model is overloaded." };
    await convex.mutation(api.system.updateMessageContent, {
      ...key,
      messageId,
      content: "half",
      status: "failed",
      error,
    });
    const shown = await anna.query(api.messages.streaming, { messageId });
    assert.deepEqual(
      [shown.content, shown.status, shown.error, shown.toolCalls],
      ["half", "failed", error, []],
    );
  });

  it("takes one message at a time, and of two at once one", async () => {
    const { conversationId, projectId } = await conversation();
    const other = await anna.mutation(api.conversations.create, { projectId, title: "Second" });
    const both = await Promise.all([send(conversationId), send(other)]);
    assert.deepEqual(both.map(({ state }) => state).sort(), ["busy", "started"]);
    assert.equal(both[0]?.messageId, both[1]?.messageId);
  });

  it("lets its last answer be asked for again when it failed, and no other", async () => {
    const { conversationId } = await conversation();
    const { messageId } = await send(conversationId, "one");
    const again = (retryOf: string, ownerId = "anna") =>
      convex.mutation(api.system.startMessage, { ...key, retryOf, ownerId });
    await finish(messageId, "fine");
    assert.equal(await codeOf(again(messageId)), "NOT_RETRYABLE");
    const second = await send(conversationId, "two");
    await convex.mutation(api.system.updateMessageContent, {
      ...key,
      messageId: second.messageId,
      content: "half",
      status: "failed",
    });
    assert.equal(await codeOf(again(second.messageId, "ben")), "MESSAGE_NOT_FOUND");
    const third = await again(second.messageId);
    assert.equal(third.state, "started");
    const { messages } = await convex.query(api.system.getMessageContext, {
      ...key,
      messageId: third.messageId,
    });
    assert.deepEqual(
      messages.map(({ content }) => content),
      ["one", "fine", "two"],
    );
    await finish(third.messageId);
    assert.equal(await codeOf(again(second.messageId)), "NOT_RETRYABLE");
  });
});

describe("files", () => {
  it("are listed by level, folders first, without their contents", async () => {
    const projectId = await project();
    for (const path of ["b.txt", "a.txt", "src/index.ts", "Zoo/x"]) await write(projectId, path);
    const root = await level(projectId);
    assert.deepEqual(
      root.map(({ name, type }) => [name, type]),
      [
        ["src", "folder"],
        ["Zoo", "folder"],
        ["a.txt", "file"],
        ["b.txt", "file"],
      ],
    );
    assert.deepEqual(Object.keys(root[0] ?? {}).sort(), ["_id", "name", "type", "updatedAt"]);
    const id = await idOf(projectId, "src", "index.ts");
    const path = await anna.query(api.files.getFilePath, { id });
    assert.deepEqual(
      path.map(({ name }) => name),
      ["src", "index.ts"],
    );
    const page = await anna.query(api.files.getFiles, {
      projectId,
      paginationOpts: { numItems: 4, cursor: null },
    });
    assert.equal(page.page.length, 4);
    assert.equal(page.isDone, false);
  });

  it("that hold no text come with the address of their bytes", async () => {
    const projectId = await project();
    await write(projectId, "a.txt");
    const storageId = await convex.run(async (ctx) => {
      const storageId = await ctx.storage.store(new Blob(["png"]));
      const id = ctx.db.normalizeId("projects", projectId);
      assert.ok(id !== null);
      const row = { projectId: id, name: "b.png", type: "file" as const, updatedAt: 0 };
      await ctx.db.insert("files", { ...row, storageId });
      return storageId;
    });
    const url = await convex.run(async (ctx) => await ctx.storage.getUrl(storageId));
    assert.ok(url !== null);
    const paginationOpts = { numItems: 10, cursor: null };
    const { page } = await anna.query(api.files.getFiles, { projectId, paginationOpts });
    assert.deepEqual(
      page.map((row) => [row.name, row.content, row.url]),
      [
        ["a.txt", "x", undefined],
        ["b.png", undefined, url],
      ],
    );
    const id = await idOf(projectId, "b.png");
    assert.equal((await anna.query(api.files.getFile, { id })).url, url);
  });

  it("are made, renamed and deleted, and their project was updated then", async () => {
    const projectId = await project();
    await anna.mutation(api.files.createFolder, { projectId, name: "src" });
    const parentId = await idOf(projectId, "src");
    const file = { projectId, parentId, name: "a.ts", content: "1" };
    await anna.mutation(api.files.createFile, file);
    assert.equal(await codeOf(anna.mutation(api.files.createFile, file)), "FILE_EXISTS");
    await assert.rejects(anna.mutation(api.files.createFile, file), /File already exists/);
    const folder = { projectId, name: "src" };
    await assert.rejects(anna.mutation(api.files.createFolder, folder), /Folder already exists/);
    await anna.mutation(api.files.createFile, { ...file, name: "b.ts" });
    const id = await idOf(projectId, "src", "b.ts");
    await assert.rejects(
      anna.mutation(api.files.renameFile, { id, newName: "a.ts" }),
      /A file with this name already exists in this location/,
    );
    await anna.mutation(api.files.renameFile, { id, newName: "c.ts" });
    await anna.mutation(api.files.updateFile, { id, content: "2" });
    const read = await convex.query(api.system.readFileByPath, {
      ...key,
      projectId,
      path: "src/c.ts",
    });
    assert.ok(read?.kind === "file" && read.content === "2");
    const { updatedAt } = await anna.query(api.projects.getById, { id: projectId });
    assert.equal(updatedAt, (await anna.query(api.files.getFile, { id })).updatedAt);
    await anna.mutation(api.files.deleteFile, { id: parentId });
    assert.deepEqual(await level(projectId), []);
    assert.deepEqual(await convex.run(async (ctx) => ctx.db.query("files").collect()), []);
  });

  it("that a person saves while a job runs stay theirs, until the next job", async () => {
    const { projectId, conversationId } = await conversation();
    await write(projectId, "src/a.ts", "before");
    const id = await idOf(projectId, "src", "a.ts");
    await anna.mutation(api.files.updateFile, { id, content: "saved before the job" });
    const job = async () => {
      const { messageId } = await send(conversationId);
      const begun = { ...key, messageId, runId: messageId, attempt: 1, resume: true };
      const { seq = 0 } = await convex.mutation(api.system.beginMessage, begun);
      const guard = { messageId, seq };
      return {
        messageId,
        write: (path: string) =>
          convex.mutation(api.system.writeFileByPath, {
            ...key,
            projectId,
            path,
            content: "the job's",
            guard,
          }),
        delete: (path: string) =>
          convex.mutation(api.system.deleteFileByPath, { ...key, projectId, path, guard }),
      };
    };
    const content = async () => (await anna.query(api.files.getFile, { id })).content;
    const first = await job();
    await first.write("src/a.ts");
    assert.equal(await content(), "the job's");
    await anna.mutation(api.files.updateFile, { id, content: "the person's" });
    assert.equal(await codeOf(first.write("src/a.ts")), "CHANGED_BY_USER");
    assert.equal(await codeOf(first.delete("src/a.ts")), "CHANGED_BY_USER");
    assert.equal(await codeOf(first.delete("src")), "CHANGED_BY_USER");
    assert.equal(await content(), "the person's");
    await first.write("src/b.ts");
    await finish(first.messageId);
    await (await job()).write("src/a.ts");
    assert.equal(await content(), "the job's");
  });

  it("move their project's time with every change, however fast they come", async (t) => {
    t.mock.method(Date, "now", () => 1_800_000_000_000);
    const projectId = await project();
    const time = async () => (await anna.query(api.projects.getById, { id: projectId })).updatedAt;
    const times = [await time()];
    await write(projectId, "a.txt");
    times.push(await time());
    const id = await idOf(projectId, "a.txt");
    for (const content of ["1", "2"]) {
      await anna.mutation(api.files.updateFile, { id, content });
      times.push(await time());
      await write(projectId, "a.txt", content);
      times.push(await time());
    }
    await anna.mutation(api.files.renameFile, { id, newName: "b.txt" });
    times.push(await time());
    await anna.mutation(api.files.deleteFile, { id });
    times.push(await time());
    assert.deepEqual(
      times,
      [...new Set(times)].sort((x, y) => x - y),
    );
  });

  it("that a person saves while the project is generated stay theirs", async () => {
    const { projectId } = await anna.mutation(api.projects.createForGeneration, {
      name: "Shop",
      generationId: "gen-1",
      plan: "general",
      description: "A shop for tea",
    });
    await write(projectId, "README.md", "generated");
    const id = await idOf(projectId, "README.md");
    await anna.mutation(api.files.updateFile, { id, content: "the person's" });
    assert.equal(await codeOf(write(projectId, "README.md", "generated")), "CHANGED_BY_USER");
    await anna.mutation(api.files.renameFile, { id, newName: "READ.md" });
    assert.equal(await codeOf(write(projectId, "READ.md", "generated")), "CHANGED_BY_USER");
    await write(projectId, "README.md", "generated");
  });

  it("have names that a path can hold", async () => {
    const projectId = await project();
    for (const name of ["", ".", "..", "a/b", "/a", "a/", "a\\b", "a\u0000b", "x".repeat(256)]) {
      const code = await codeOf(
        anna.mutation(api.files.createFile, { projectId, name, content: "" }),
      );
      assert.ok(
        code === "INVALID_NAME" || code === "INVALID_PATH",
        `${JSON.stringify(name)} ${code}`,
      );
    }
    assert.deepEqual(await level(projectId), []);
  });

  it("stay below their own project, and below folders", async () => {
    const projectId = await project();
    const other = await project("other");
    await write(other, "src/a.ts");
    const foreign = await idOf(other, "src");
    const file = { projectId, name: "x", content: "" };
    const inFolder = anna.mutation(api.files.createFile, { ...file, parentId: foreign });
    assert.equal(await codeOf(inFolder), "FILE_NOT_FOUND");
    const inFile = anna.mutation(api.files.createFile, {
      ...file,
      projectId: other,
      parentId: await idOf(other, "src", "a.ts"),
    });
    assert.equal(await codeOf(inFile), "PARENT_IS_A_FILE");
  });

  it("that are too large for a document are refused, with the size that fits", async () => {
    const projectId = await project();
    await write(projectId, "a.txt");
    const id = await idOf(projectId, "a.txt");
    const saved = anna.mutation(api.files.updateFile, { id, content: "x".repeat(1024 * 1024) });
    assert.equal(await codeOf(saved), "FILE_TOO_LARGE");
  });
});
