// What keeps a message exact when workers die, freeze and wake up: numbered writes, attempts, the
// journal of finished turns, and the check of leases. The first test goes over HTTP to the host; the
// lease's runs on convex-test, which lets a test set the clock of a document.
import assert from "node:assert/strict";
import { test } from "node:test";
import { convexTest } from "convex-test";
import { letFarTimersGo } from "../../__test__/far-timers.ts";
import { api, internal } from "../../app/convex/_generated/api.js";
import type { Id } from "../../app/convex/_generated/dataModel.js";
import { ATTEMPT_SPAN, JOURNAL_ID, journalOf, LEASE_MS } from "../../app/convex/model/journal.ts";
import { sentryRequest } from "../../app/convex/model/report.ts";
import schema from "../../app/convex/schema.ts";
import { startSentry } from "../sentry/index.ts";
import { startConvex } from "./index.ts";
import { errorCode } from "./testing/harness.ts";
import { World } from "./testing/world.ts";

const { system } = api;

test("a run that is numbered", async (t) => {
  const convex = await startConvex();
  t.after(() => convex.close());
  const world = new World(convex);
  const { client, key } = world;

  const begin = (messageId: string, attempt: number, runId = "r") =>
    client.mutation(system.beginMessage, { ...key, messageId, attempt, runId, resume: true });
  const append = (messageId: string, seq: number, offset: number, text: string) =>
    client.mutation(system.appendMessageContent, { ...key, messageId, seq, offset, text });
  const visible = async (messageId: Id<"messages">) => {
    const message = await world.message(messageId);
    return [message?.status, message?.content];
  };

  await t.test("appended text is added where the stored text ends, in UTF-16 units", async () => {
    const messageId = await world.processing();
    const { seq = 0 } = await begin(messageId, 1);
    assert.equal(seq, ATTEMPT_SPAN);
    await append(messageId, seq + 1, 0, "a😀");
    assert.deepEqual(await append(messageId, seq + 2, 1, "x"), {
      status: "processing",
      applied: false,
      length: 3,
    });
    await append(messageId, seq + 3, 3, "b");
    assert.deepEqual(await visible(messageId), ["processing", "a😀b"]);
  });

  await t.test("a write whose answer was lost may come again and changes nothing", async () => {
    const messageId = await world.processing();
    const { seq = 0 } = await begin(messageId, 1);
    await append(messageId, seq + 1, 0, "once");
    assert.equal((await append(messageId, seq + 1, 0, "once")).applied, true);
    assert.deepEqual(await visible(messageId), ["processing", "once"]);
  });

  await t.test("an older attempt's writes are refused, whatever they are", async () => {
    const messageId = await world.processing();
    const { seq: old = 0 } = await begin(messageId, 1);
    await append(messageId, old + 1, 0, "old");
    const { seq = 0 } = await begin(messageId, 2);
    assert.ok(seq > old);
    const refused = { status: "processing", applied: false, superseded: true };
    const stale = { ...key, messageId, seq: old + 9 };
    for (const result of [
      await append(messageId, old + 9, 0, "x"),
      await client.mutation(system.streamMessageContent, { ...stale, content: "x" }),
      await client.mutation(system.updateMessageContent, { ...stale, content: "x" }),
      await client.mutation(system.cancelMessage, stale),
      await client.mutation(system.saveToolCalls, { ...stale, toolCalls: [] }),
      await client.mutation(system.renewLease, stale),
    ]) {
      assert.deepEqual(result, refused);
    }
    assert.deepEqual(await visible(messageId), ["processing", ""]);
    assert.equal((await begin(messageId, 1)).state, "superseded");
  });

  await t.test("an older attempt and a finished message change no file and no log", async () => {
    const messageId = await world.processing();
    const message = await world.message(messageId);
    const projectId = message?.projectId ?? "";
    const { seq: old = 0 } = await begin(messageId, 1);
    const write = (seq: number) =>
      client.mutation(system.writeFileByPath, {
        ...key,
        projectId,
        path: "a",
        content: String(seq),
        guard: { messageId, seq },
      });
    await write(old);
    const { seq = 0 } = await begin(messageId, 2);
    assert.equal(await errorCode(write(old)), "SUPERSEDED");
    await write(seq);
    await client.mutation(system.cancelMessage, { ...key, messageId });
    assert.equal(await errorCode(write(seq)), "SUPERSEDED");
    assert.equal(
      await errorCode(
        client.mutation(system.deleteFileByPath, {
          ...key,
          projectId,
          path: "a",
          guard: { messageId, seq },
        }),
      ),
      "SUPERSEDED",
    );
    const line = { ...key, projectId, type: "file" as const, message: "Wrote a" };
    const note = client.mutation(system.appendGenerationEvent, {
      ...line,
      guard: { messageId, seq },
    });
    assert.equal(await errorCode(note), "SUPERSEDED");
  });

  await t.test(
    "what a turn's calls change is made with the turn's record or not at all",
    async () => {
      const messageId = await world.processing();
      const projectId = (await world.message(messageId))?.projectId ?? "";
      const { seq: old = 0 } = await begin(messageId, 1);
      const line = (message: string, createdAt: number) => ({ line: { message, createdAt } });
      const save = (seq: number) => ({
        ...{ ...key, messageId, seq, toolCalls: [], turn: { step: 1, data: {} } },
        changes: [
          { projectId, path: "t/a", content: "a", ...line("Wrote t/a", 1) },
          { projectId, path: "t", content: "x", ...line("Wrote t", 2) },
          { projectId, path: "gone", ...line("Deleted gone", 3) },
          { projectId, path: "t/b", content: "b", ...line("Wrote t/b", 4) },
        ],
      });
      const made = await client.mutation(system.saveToolCalls, save(old + 1));
      const codes = (made.changes ?? []).map((each) => ("code" in each ? each.code : "made"));
      assert.deepEqual(codes, ["made", "IS_A_FOLDER", "FILE_NOT_FOUND", "made"]);
      // The answer was lost: the same call says the same, and nothing is written.
      const files = await world.admin.table("files");
      const again = await client.mutation(system.saveToolCalls, save(old + 1));
      assert.deepEqual(
        (again.changes ?? []).map((each) => ("code" in each ? each.code : "made")),
        codes,
      );
      assert.deepEqual(await world.admin.table("files"), files);
      const { seq = 0, turns } = await begin(messageId, 2);
      assert.equal(turns?.length, 1);
      const stale = { ...save(old + 2), changes: [{ ...save(0).changes[0], path: "stale" }] };
      const refused = await client.mutation(system.saveToolCalls, stale as ReturnType<typeof save>);
      assert.deepEqual(refused, { status: "processing", applied: false, superseded: true });
      // Of a project that is gone, not even the record is made.
      const lost = { ...save(seq + 1), changes: [{ ...save(0).changes[0], projectId: "none" }] };
      const failed = client.mutation(system.saveToolCalls, lost as ReturnType<typeof save>);
      assert.equal(await errorCode(failed), "PROJECT_NOT_FOUND");
      assert.deepEqual(await world.admin.table("files"), files);
    },
  );

  await t.test("finished turns stay for the next attempt, and nothing of half a one", async () => {
    const messageId = await world.processing();
    const { seq = 0 } = await begin(messageId, 1);
    await append(messageId, seq + 1, 0, "half a turn");
    const clean = await begin(messageId, 2);
    assert.deepEqual([clean.content, clean.toolCalls, clean.turns], ["", [], []]);
    const base = clean.seq ?? 0;
    const call = { id: "c", name: "x", args: {} };
    await client.mutation(system.saveToolCalls, {
      ...key,
      messageId,
      seq: base + 1,
      content: "One. ",
      toolCalls: [call],
      turn: { step: 1, data: { end: 5 } },
    });
    await append(messageId, base + 2, 5, "half");
    const resumed = await begin(messageId, 3);
    assert.equal(resumed.content, "One. half");
    assert.deepEqual(resumed.toolCalls, [call]);
    assert.deepEqual(resumed.turns, [{ step: 1, data: { end: 5 } }]);
  });

  await t.test("another run of the message goes on where the dead one stopped", async () => {
    const messageId = await world.processing();
    await begin(messageId, 3, "run_a");
    assert.equal((await begin(messageId, 1, "run_b")).state, "run");
    assert.equal((await world.message(messageId))?.triggerRunId, "run_b");
  });

  await t.test("a final message keeps no journal, a failed one the reason", async () => {
    for (const [status, kept] of [
      ["completed", []],
      ["cancelled", []],
      [
        "failed",
        [{ id: JOURNAL_ID, name: "polaris.run", args: { error: { code: "C", message: "m" } } }],
      ],
    ] as const) {
      const messageId = await world.processing();
      const { seq = 0 } = await begin(messageId, 1);
      await client.mutation(system.updateMessageContent, {
        ...key,
        messageId,
        seq: seq + 1,
        content: "t",
        status,
        ...(status === "failed" ? { error: { code: "C", message: "m" } } : {}),
      });
      assert.deepEqual((await world.message(messageId))?.toolCalls ?? [], kept);
    }
  });

  await t.test("models never see the journal", async () => {
    const where = await world.conversation();
    const failed = await world.add(where, "assistant", "", "processing");
    const { seq = 0 } = await begin(failed, 1);
    await client.mutation(system.saveToolCalls, {
      ...key,
      messageId: failed,
      seq: seq + 1,
      toolCalls: [{ id: "c", name: "x", args: {}, result: "r" }],
    });
    await client.mutation(system.cancelMessage, { ...key, messageId: failed, content: "kept" });
    const next = await world.add(where, "assistant", "", "processing");
    const { messages } = await client.query(system.getMessageContext, { ...key, messageId: next });
    assert.deepEqual(messages, [
      {
        role: "assistant",
        content: "kept",
        toolCalls: [{ id: "c", name: "x", args: {}, result: "r" }],
      },
    ]);
  });
});

test("the check of leases", async (t) => {
  letFarTimersGo();
  process.env.POLARIS_CONVEX_INTERNAL_KEY = "k";
  const key = { internalKey: "k" };
  const backend = convexTest({
    schema,
    modules: {
      "./app/convex/_generated/api.js": () => import("../../app/convex/_generated/api.js"),
      "./app/convex/leases.ts": () => import("../../app/convex/leases.ts"),
      "./app/convex/reports.ts": () => import("../../app/convex/reports.ts"),
      "./app/convex/system.ts": () => import("../../app/convex/system.ts"),
    },
  });
  const processing = async () => {
    const projectId = await backend.mutation(system.createProject, {
      ...key,
      name: "p",
      ownerId: "o",
    });
    const where = { ...key, projectId };
    const conversationId = await backend.mutation(system.createConversation, {
      ...where,
      title: "t",
    });
    const message = { ...where, conversationId, role: "assistant" as const, content: "" };
    return await backend.mutation(system.createMessage, { ...message, status: "processing" });
  };
  const pending = () =>
    backend.run(
      async (ctx) => (await ctx.db.system.query("_scheduled_functions").collect()).length,
    );

  await t.test("a processing message is looked at again when its lease is over", async () => {
    const messageId = await processing();
    const before = await pending();
    assert.ok(before > 0);
    await backend.mutation(system.beginMessage, { ...key, messageId, attempt: 1, resume: true });
    await backend.mutation(internal.leases.check, { messageId });
    assert.equal(await pending(), before + 1, "it lives, and is looked at again");
  });

  const expire = async (messageId: Id<"messages">) => {
    await backend.run(async (ctx) => {
      const journal = journalOf((await ctx.db.get(messageId))?.toolCalls);
      assert.ok(journal && journal.lease > Date.now() + LEASE_MS / 2);
      const expired = { ...journal, lease: Date.now() - 1 };
      await ctx.db.patch(messageId, {
        toolCalls: [{ id: JOURNAL_ID, name: "polaris.run", args: expired }],
      });
    });
  };

  await t.test("an expired lease fails the message and keeps its text", async () => {
    const messageId = await processing();
    const begun = await backend.mutation(system.beginMessage, {
      ...key,
      messageId,
      attempt: 1,
      resume: true,
    });
    const seq = (begun.seq ?? 0) + 1;
    const half = { ...key, messageId, offset: 0, text: "half", seq };
    await backend.mutation(system.appendMessageContent, half);
    await expire(messageId);
    await backend.mutation(internal.leases.check, { messageId });
    const message = await backend.query(system.getMessageById, { ...key, messageId });
    assert.deepEqual([message?.status, message?.content], ["failed", "half"]);
    assert.equal(message?.toolCalls?.[0]?.args.error.code, "RUN_LOST");
  });

  await t.test("a run that the check finds dead is reported once, without its text", async () => {
    const sentry = await startSentry();
    process.env.SENTRY_DSN = sentry.dsn;
    try {
      const messageId = await processing();
      const begin = { ...key, messageId, attempt: 1, runId: "run_1", resume: true };
      const { seq = 0 } = await backend.mutation(system.beginMessage, begin);
      const half = { ...key, messageId, offset: 0, text: "private", seq: seq + 1 };
      await backend.mutation(system.appendMessageContent, half);
      await expire(messageId);
      for (let n = 0; n < 2; n++) await backend.mutation(internal.leases.check, { messageId });
      type Event = { tags: object; extra: object; exception: { values: { type: string }[] } };
      let events: Event[] = [];
      while (events.length === 0) {
        // The scheduler begins an action with a timer of its own.
        await new Promise((settle) => setImmediate(settle));
        const answer = await fetch(`${sentry.url}/admin/events`);
        ({ events } = (await answer.json()) as { events: Event[] });
      }
      await backend.finishInProgressScheduledFunctions();
      const taskId = "process-message";
      assert.deepEqual(
        events.map(({ tags, extra }) => [tags, extra]),
        [
          [
            { taskId, runId: "run_1", code: "RUN_LOST" },
            { taskId, runId: "run_1", messageId, runStatus: "its lease expired" },
          ],
        ],
      );
      assert.equal(events[0]?.exception.values[0]?.type, "DeadRun");
      assert.ok(!(await (await fetch(`${sentry.url}/admin/raw`)).text()).includes("private"));
    } finally {
      delete process.env.SENTRY_DSN;
      await sentry.close();
    }
  });

  await t.test("a DSN that is none is told, and nothing is sent", () => {
    const send = (dsn: string) => sentryRequest(dsn, dead, new Date(0), "e");
    const dead = { taskId: "t", runStatus: "gone" };
    for (const dsn of ["", "key", "https://host/1", "ftp://key@host/1", "https://key@host"]) {
      assert.equal(send(dsn), null, dsn);
    }
    const url = "https://host:8/a/api/1/envelope/?sentry_version=7&sentry_key=key";
    assert.equal(send("https://key:old@host:8/a/1")?.url, url);
  });

  await t.test("a message that still waits for its run is left alone", async () => {
    const messageId = await processing();
    const before = await pending();
    await backend.mutation(internal.leases.check, { messageId });
    const message = await backend.query(system.getMessageById, { ...key, messageId });
    assert.equal(message?.status, "processing");
    assert.equal(await pending(), before + 1);
  });

  await t.test("a final or deleted message is not looked at again", async () => {
    const messageId = await processing();
    await backend.mutation(system.cancelMessage, { ...key, messageId });
    const before = await pending();
    await backend.mutation(internal.leases.check, { messageId });
    await backend.run(async (ctx) => await ctx.db.delete(messageId));
    await backend.mutation(internal.leases.check, { messageId });
    assert.equal(await pending(), before);
  });
});
