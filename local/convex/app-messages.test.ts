// What the functions of app/convex do to messages, called as servers call them: over HTTP, by the
// official client, on a host that enforces what production enforces.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionArgs } from "convex/server";
import { api } from "../../app/convex/_generated/api.js";
import { startConvex } from "./index.ts";
import { errorCode } from "./testing/harness.ts";
import { World } from "./testing/world.ts";

const { system } = api;

test("the functions that servers call", async (t) => {
  const convex = await startConvex();
  t.after(() => convex.close());
  const world = new World(convex);
  const { client, key } = world;

  await t.test("a retry begins with a clean message and stores its run id", async () => {
    const messageId = await world.processing();
    const first = await client.mutation(system.beginMessage, {
      ...key,
      messageId,
      runId: "r1",
      attempt: 1,
    });
    assert.equal(first.state, "run");
    await client.mutation(system.streamMessageContent, {
      ...key,
      messageId,
      content: "half an ans",
    });
    await client.mutation(system.saveToolCalls, {
      ...key,
      messageId,
      toolCalls: [{ id: "c", name: "x", args: {} }],
    });
    const second = await client.mutation(system.beginMessage, {
      ...key,
      messageId,
      runId: "r1",
      attempt: 2,
    });
    const message = await world.message(messageId);
    assert.deepEqual(second, {
      state: "run",
      status: "processing",
      projectId: message?.projectId,
      conversationId: message?.conversationId,
    });
    assert.deepEqual([message?.content, message?.toolCalls, message?.triggerRunId], ["", [], "r1"]);
  });

  await t.test(
    "a cancelled message keeps the longer text, or says that it was cancelled",
    async () => {
      const cancel = async (stored: string, content?: string) => {
        const messageId = await world.processing(stored);
        await client.mutation(system.cancelMessage, {
          ...key,
          messageId,
          ...(content === undefined ? {} : { content }),
        });
        return (await world.message(messageId))?.content;
      };
      assert.equal(await cancel("partial"), "partial");
      assert.equal(await cancel("partial", "partial and more"), "partial and more");
      assert.equal(await cancel("partial", "par"), "partial");
      assert.equal(await cancel(""), "Message was cancelled.");
      assert.equal(await cancel("", "text"), "text");
    },
  );

  await t.test(
    "a repeated tool call or result changes nothing, and a result is never lost",
    async () => {
      const messageId = await world.processing();
      const save = (toolCalls: FunctionArgs<typeof system.saveToolCalls>["toolCalls"]) =>
        client.mutation(system.saveToolCalls, { ...key, messageId, toolCalls });
      const [a, b] = [
        { id: "a", name: "readFile", args: { path: "x" } },
        { id: "b", name: "listFiles", args: {} },
      ];
      await save([a, b]);
      await save([{ ...a, result: "text" }]);
      await save([b, a]);
      await client.mutation(system.appendToolCall, { ...key, messageId, toolCall: a });
      for (let i = 0; i < 2; i++) {
        await client.mutation(system.appendToolResult, {
          ...key,
          messageId,
          toolCallId: "b",
          result: null,
        });
      }
      assert.deepEqual((await world.message(messageId))?.toolCalls, [
        { ...a, result: "text" },
        { ...b, result: null },
      ]);
      await save([b]);
      assert.equal((await world.message(messageId))?.toolCalls?.[1]?.result, null);
      const unknown = await client.mutation(system.appendToolResult, {
        ...key,
        messageId,
        toolCallId: "?",
        result: 1,
      });
      assert.deepEqual(unknown, { status: "processing", applied: false });
    },
  );

  await t.test(
    "the context holds what was said before, and nothing that failed, runs or is empty",
    async () => {
      const where = await world.conversation();
      await world.add(where, "user", "first");
      await world.add(where, "assistant", "answer", "completed");
      const failed = await world.add(where, "assistant", "", "processing");
      await client.mutation(system.updateMessageContent, {
        ...key,
        messageId: failed,
        content: "half",
        status: "failed",
      });
      await world.add(where, "assistant", "stopped here", "cancelled");
      await client.mutation(system.cancelMessage, {
        ...key,
        messageId: await world.add(where, "assistant", "", "processing"),
      });
      await world.add(where, "assistant", "still running", "processing");
      await world.add(where, "user", "");
      await world.add(where, "user", "second");
      const messageId = await world.add(where, "assistant", "", "processing");
      await world.add(where, "user", "too late");
      assert.deepEqual(await client.query(system.getMessageContext, { ...key, messageId }), {
        ...where,
        messages: [
          { role: "user", content: "first" },
          { role: "assistant", content: "answer" },
          { role: "assistant", content: "stopped here" },
          { role: "user", content: "second" },
        ],
      });
    },
  );

  await t.test(
    "the conversation's time moves when a message begins, not while it streams, nor at its end",
    async () => {
      const messageId = await world.processing();
      const changed = async (write: () => Promise<unknown>) => {
        const since = (await world.admin.log()).at(-1)?.seq ?? 0;
        await write();
        return (await world.admin.log(since))[0]?.documentsChanged.length;
      };
      assert.equal(
        await changed(() =>
          client.mutation(system.streamMessageContent, { ...key, messageId, content: "x" }),
        ),
        1,
      );
      assert.equal(
        await changed(() =>
          client.mutation(system.updateMessageContent, { ...key, messageId, content: "x" }),
        ),
        1,
      );
    },
  );

  await t.test("a last write of the replaced kind moves the conversation's time", async () => {
    const messageId = await world.processing();
    const last = { ...key, messageId, content: "x", isComplete: true };
    const since = (await world.admin.log()).at(-1)?.seq ?? 0;
    await client.mutation(system.streamMessageContent, last);
    assert.equal((await world.admin.log(since))[0]?.documentsChanged.length, 2);
  });

  await t.test("a generation event with a time of its own is stored once", async () => {
    const projectId = await world.project();
    const event = { ...key, projectId, type: "step" as const, message: "Starting x", createdAt: 5 };
    for (let i = 0; i < 3; i++) await client.mutation(system.appendGenerationEvent, event);
    await client.mutation(system.appendGenerationEvent, { ...event, message: "Completed x" });
    const rows = (await world.admin.table("generationEvents")).filter(
      (row) => row.projectId === projectId,
    );
    assert.deepEqual(
      rows.map((row) => row.message),
      ["Starting x", "Completed x"],
    );
  });

  await t.test("processing messages are those of the project", async () => {
    const where = await world.conversation();
    const messageId = await world.add(where, "assistant", "", "processing");
    await world.add(where, "user", "hello");
    const { projectId } = where;
    const found = await client.query(system.getProcessingMessages, { ...key, projectId });
    assert.deepEqual(
      found.map((message) => message._id),
      [messageId],
    );
  });

  await t.test(
    "import and export states are stored; an export without an address clears it",
    async () => {
      const projectId = await world.project();
      const project = async () =>
        (await world.admin.table("projects")).find((row) => row._id === projectId);
      await client.mutation(system.updateProjectImportStatus, {
        ...key,
        projectId,
        status: "importing",
      });
      await client.mutation(system.updateProjectExportStatus, {
        ...key,
        projectId,
        status: "completed",
        repoUrl: "https://x",
      });
      assert.deepEqual(
        [(await project())?.importStatus, (await project())?.exportRepoUrl],
        ["importing", "https://x"],
      );
      await client.mutation(system.updateProjectExportStatus, {
        ...key,
        projectId,
        status: "failed",
      });
      assert.equal("exportRepoUrl" in ((await project()) ?? {}), false);
    },
  );

  await t.test("every error has a code", async () => {
    const where = await world.conversation();
    const { projectId } = where;
    const user = await world.add(where, "user", "hello");
    const gone = user.slice(0, -4) + (user.endsWith("0000") ? "1111" : "0000");
    const other = await world.project();
    const cases: [string, () => Promise<unknown>][] = [
      [
        "INVALID_INTERNAL_KEY",
        () => client.query(system.getMessageById, { internalKey: "wrong", messageId: user }),
      ],
      [
        "INVALID_INTERNAL_KEY",
        () => client.query(system.getMessageById, { internalKey: "", messageId: user }),
      ],
      [
        "INVALID_INTERNAL_KEY",
        () =>
          client.query(system.getMessageById, {
            internalKey: `${key.internalKey}x`,
            messageId: user,
          }),
      ],
      [
        "MESSAGE_NOT_FOUND",
        () => client.mutation(system.beginMessage, { ...key, messageId: "nonsense", attempt: 1 }),
      ],
      [
        "MESSAGE_NOT_FOUND",
        () => client.query(system.getMessageContext, { ...key, messageId: gone }),
      ],
      [
        "MESSAGE_NOT_FOUND",
        () => client.mutation(system.cancelMessage, { ...key, messageId: projectId }),
      ],
      [
        "NOT_AN_ASSISTANT_MESSAGE",
        () => client.mutation(system.beginMessage, { ...key, messageId: user, attempt: 1 }),
      ],
      [
        "NOT_AN_ASSISTANT_MESSAGE",
        () =>
          client.mutation(system.streamMessageContent, { ...key, messageId: user, content: "x" }),
      ],
      [
        "CONVERSATION_NOT_FOUND",
        () =>
          client.mutation(system.createMessage, {
            ...key,
            conversationId: "x",
            projectId,
            role: "user",
            content: "",
          }),
      ],
      [
        "CONVERSATION_NOT_FOUND",
        () =>
          client.mutation(system.createMessage, {
            ...key,
            ...where,
            projectId: other,
            role: "user",
            content: "",
          }),
      ],
      [
        "PROJECT_NOT_FOUND",
        () => client.mutation(system.createConversation, { ...key, projectId: "x", title: "t" }),
      ],
      [
        "PROJECT_NOT_FOUND",
        () => client.query(system.listFilesByPath, { ...key, projectId: user, path: "" }),
      ],
    ];
    for (const [code, call] of cases) assert.equal(await errorCode(call()), code);
    assert.equal(
      await client.query(system.getMessageById, { ...key, messageId: "nonsense" }),
      null,
    );
    assert.equal(
      await client.query(system.getConversationById, { ...key, conversationId: "x" }),
      null,
    );
  });
});
