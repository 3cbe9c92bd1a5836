// The messages that an app has left from before: those that wait for a run which no longer comes are
// ended, once, and no other is touched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { convexTest } from "convex-test";
import { letFarTimersGo } from "../../__test__/far-timers.ts";
import { internal } from "../../app/convex/_generated/api.js";
import schema from "../../app/convex/schema.ts";

const modules = {
  "./app/convex/_generated/api.js": () => import("../../app/convex/_generated/api.js"),
  "./app/convex/settle.ts": () => import("../../app/convex/settle.ts"),
};

test("messages that wait for a run which no longer comes", async (t) => {
  letFarTimersGo();
  const backend = convexTest({ schema, modules });
  const day = Date.now() - 24 * 60 * 60 * 1000;
  const messages = await backend.run(async (ctx) => {
    const projectId = await ctx.db.insert("projects", { name: "p", ownerId: "o", updatedAt: day });
    const conversationId = await ctx.db.insert("conversations", {
      projectId,
      title: "t",
      updatedAt: day,
    });
    const message = { projectId, conversationId, role: "assistant" as const, content: "" };
    const insert = async (change: object) =>
      await ctx.db.insert("messages", { ...message, status: "processing", ...change });
    const lost = [];
    // More than one batch.
    for (let index = 0; index < 20; index++)
      lost.push(await insert({ content: index === 0 ? "half" : "" }));
    return {
      lost,
      running: await insert({ triggerRunId: "run_1" }),
      done: await insert({ status: "completed", content: "done" }),
      said: await insert({ role: "user", status: undefined, content: "hello" }),
    };
  });
  const read = async (id: (typeof messages)["running"]) =>
    await backend.run(async (ctx) => await ctx.db.get(id));

  await t.test("that are new are left: their run may be about to be recorded", async () => {
    const result = await backend.mutation(internal.settle.messages, {});
    assert.deepEqual(result, { settled: 0, done: true });
    assert.equal((await read(messages.running))?.status, "processing");
  });

  await t.test("end as failed, with the text that they had, in every batch", async () => {
    const before = Date.now() + 1_000;
    let result = await backend.mutation(internal.settle.messages, { before });
    assert.equal(result.done, false);
    await backend.finishAllScheduledFunctions(() => undefined);
    for (const [index, id] of messages.lost.entries()) {
      const message = await read(id);
      assert.equal(message?.status, "failed", `message ${index}`);
      if (index === 0) assert.equal(message?.content, "half");
    }
    assert.equal((await read(messages.running))?.status, "processing");
    assert.equal((await read(messages.done))?.content, "done");
    assert.equal((await read(messages.said))?.status, undefined);
    result = await backend.mutation(internal.settle.messages, { before });
    assert.equal(result.settled, 0);
  });
});
