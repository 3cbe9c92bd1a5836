// `completed`, `cancelled` and `failed` are final: every writer against every final status.
import assert from "node:assert/strict";
import { test } from "node:test";
import { api } from "../../app/convex/_generated/api.js";
import type { Id } from "../../app/convex/_generated/dataModel.js";
import { startConvex } from "./index.ts";
import { type Final, World } from "./testing/world.ts";

const { system } = api;
const FINAL: Final[] = ["completed", "cancelled", "failed"];

/** Every mutation that changes a message's text, tool calls or status. */
const WRITERS: [
  string,
  (world: World, messageId: Id<"messages">) => Promise<{ status: string; applied: boolean }>,
][] = [
  [
    "streamMessageContent",
    (w, messageId) =>
      w.client.mutation(system.streamMessageContent, { ...w.key, messageId, content: "late" }),
  ],
  [
    "streamMessageContent complete",
    (w, messageId) =>
      w.client.mutation(system.streamMessageContent, {
        ...w.key,
        messageId,
        content: "late",
        isComplete: true,
      }),
  ],
  ...FINAL.map((status): (typeof WRITERS)[number] => [
    `updateMessageContent ${status}`,
    (w, messageId) =>
      w.client.mutation(system.updateMessageContent, {
        ...w.key,
        messageId,
        content: "late",
        status,
      }),
  ]),
  [
    "updateMessageContent",
    (w, messageId) =>
      w.client.mutation(system.updateMessageContent, { ...w.key, messageId, content: "late" }),
  ],
  [
    "cancelMessage",
    (w, messageId) => w.client.mutation(system.cancelMessage, { ...w.key, messageId }),
  ],
  [
    "cancelMessage with text",
    (w, messageId) =>
      w.client.mutation(system.cancelMessage, {
        ...w.key,
        messageId,
        content: "much longer late text",
      }),
  ],
  [
    "appendToolCall",
    (w, messageId) =>
      w.client.mutation(system.appendToolCall, {
        ...w.key,
        messageId,
        toolCall: { id: "late", name: "x", args: {} },
      }),
  ],
  [
    "appendToolResult",
    (w, messageId) =>
      w.client.mutation(system.appendToolResult, {
        ...w.key,
        messageId,
        toolCallId: "c1",
        result: "late",
      }),
  ],
  [
    "saveToolCalls",
    (w, messageId) =>
      w.client.mutation(system.saveToolCalls, {
        ...w.key,
        messageId,
        toolCalls: [{ id: "c1", name: "late", args: {}, result: "late" }],
      }),
  ],
];

test("a final status stays", async (t) => {
  const convex = await startConvex();
  t.after(() => convex.close());
  const world = new World(convex);
  const { client, key } = world;

  for (const status of FINAL) {
    for (const [name, write] of WRITERS) {
      await t.test(`${name} never changes a ${status} message`, async () => {
        const messageId = await world.final(status);
        const before = await world.message(messageId);
        const conversations = await world.admin.table("conversations");
        assert.deepEqual(await write(world, messageId), { status, applied: false });
        assert.deepEqual(await world.message(messageId), before);
        assert.deepEqual(await world.admin.table("conversations"), conversations);
      });
    }

    await t.test(
      `beginMessage says that a ${status} message is final and changes nothing`,
      async () => {
        const messageId = await world.final(status);
        const before = await world.message(messageId);
        const begun = await client.mutation(system.beginMessage, {
          ...key,
          messageId,
          runId: "r2",
          attempt: 2,
        });
        assert.equal(begun.state, "final");
        assert.equal(begun.status, status);
        assert.deepEqual(await world.message(messageId), before);
      },
    );

    await t.test(`the run id can be stored on a ${status} message`, async () => {
      const messageId = await world.final(status);
      const args = { ...key, messageId, triggerRunId: "run_1" };
      assert.deepEqual(await client.mutation(system.updateMessageTriggerRunId, args), {
        status,
        applied: true,
      });
      const stored = await world.message(messageId);
      assert.deepEqual(
        [stored?.triggerRunId, stored?.status, stored?.content],
        ["run_1", status, "kept"],
      );
    });
  }

  await t.test("every function of a message is covered by the test above", () => {
    const known = new Set(WRITERS.map(([name]) => name.split(" ")[0]));
    assert.deepEqual([...known].sort(), [
      "appendToolCall",
      "appendToolResult",
      "cancelMessage",
      "saveToolCalls",
      "streamMessageContent",
      "updateMessageContent",
    ]);
  });

  await t.test(
    "a processing message takes every write, and ends with the status that it was given",
    async () => {
      const after: Record<string, string> = {
        "streamMessageContent complete": "completed",
        "updateMessageContent completed": "completed",
        "updateMessageContent cancelled": "cancelled",
        "updateMessageContent failed": "failed",
        updateMessageContent: "completed",
        cancelMessage: "cancelled",
        "cancelMessage with text": "cancelled",
      };
      for (const [name, write] of WRITERS) {
        const messageId = await world.processing("early");
        await client.mutation(system.appendToolCall, {
          ...key,
          messageId,
          toolCall: { id: "c1", name: "x", args: {} },
        });
        const status = after[name] ?? "processing";
        assert.deepEqual(await write(world, messageId), { status, applied: true }, name);
        assert.equal((await world.message(messageId))?.status, status, name);
      }
    },
  );
});
