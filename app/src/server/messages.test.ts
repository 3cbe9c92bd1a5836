// Sending, cancelling and repairing messages, as a user meets them. Our Convex functions are the real
// ones; the runner is played. The whole way with the real runner is tested with the local stack.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it, mock } from "node:test";
import { startSentry } from "../../../local/sentry/index.ts";
import { Services } from "./fixtures/services.ts";
import { cancel, type DeadRun, MessageError, repair, send } from "./messages.ts";

interface Message {
  _id: string;
  role: string;
  content: string;
  status?: string;
  triggerRunId?: string;
}

const services = new Services();
let projectId: string;
let conversationId: string;

before(() => services.start());
after(() => services.close());
beforeEach(async () => {
  ({ projectId, conversationId } = await services.conversation());
  services.onTrigger = () => undefined;
  services.outage = undefined;
  services.cancelled.length = 0;
});

async function message(messageId: string): Promise<Message> {
  const found = await services.query<Message | null>("getMessageById", { messageId });
  assert.ok(found !== null);
  return found;
}

async function processing(): Promise<Message[]> {
  return await services.query("getProcessingMessages", { projectId });
}

async function rejectsWith(promise: Promise<unknown>, code: string): Promise<MessageError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof MessageError, String(error));
  assert.equal(error.code, code);
  return error;
}

function run(runId: string) {
  const found = services.runs.get(runId);
  assert.ok(found !== undefined);
  return found;
}

async function streamed(messageId: string, content: string): Promise<void> {
  await services.mutation("streamMessageContent", { messageId, content });
}

describe("a message that is sent", () => {
  it("is stored with an empty answer, and a run that knows only the answer's id is started", async () => {
    const { messageId, runId } = await send({ conversationId, message: "hello" });
    const answer = await message(messageId);
    assert.deepEqual(
      [answer.role, answer.content, answer.status, answer.triggerRunId],
      ["assistant", "", "processing", runId],
    );
    const { messages } = await services.query<{ messages: unknown[] }>("getMessageContext", {
      messageId,
    });
    assert.deepEqual(messages, [{ role: "user", content: "hello" }]);
    const { payload, options } = run(runId);
    assert.deepEqual(payload, { json: { messageId } });
    assert.deepEqual(options.tags, [`project_${projectId}`]);
    assert.match(String(options.idempotencyKey), /^[0-9a-f]{64}$/);
  });

  it("waits for the answer before it, which is named", async () => {
    const { messageId } = await send({ conversationId, message: "one" });
    const refused = send({ conversationId, message: "two" });
    assert.equal((await rejectsWith(refused, "MESSAGE_IN_PROGRESS")).messageId, messageId);
    assert.equal((await processing()).length, 1);
  });

  it("does not wait for an answer whose run is dead", async () => {
    const first = await send({ conversationId, message: "one" });
    run(first.runId).status = "CRASHED";
    await streamed(first.messageId, "half an ans");
    const dead: DeadRun[] = [];
    const second = await send({
      conversationId,
      message: "two",
      onDeadRun: (d) => void dead.push(d),
    });
    const { status, content } = await message(first.messageId);
    assert.deepEqual([status, content], ["failed", "half an ans"]);
    assert.deepEqual(
      dead.map(({ runId, runStatus }) => [runId, runStatus]),
      [[first.runId, "CRASHED"]],
    );
    assert.equal((await message(second.messageId)).status, "processing");
  });

  it("is failed when the runner does not take it", async () => {
    services.outage = 400;
    const error = await rejectsWith(send({ conversationId, message: "hi" }), "TRIGGER_FAILED");
    assert.ok(error.messageId !== undefined);
    const { status, content } = await message(error.messageId);
    assert.equal(status, "failed");
    assert.match(content, /sorry/);
    assert.deepEqual(await processing(), []);
  });

  it("whose cancel came before its run id has the run cancelled all the same", async () => {
    services.onTrigger = async ({ payload }) => {
      const { messageId } = (payload as { json: { messageId: string } }).json;
      assert.deepEqual(await cancel({ messageId }), { status: "cancelled", runCancelled: false });
    };
    const { messageId, runId } = await send({ conversationId, message: "stop" });
    assert.deepEqual(services.cancelled, [runId]);
    assert.equal((await message(messageId)).status, "cancelled");
  });

  it("needs a conversation that exists and variables that are set", async () => {
    await rejectsWith(send({ conversationId: "none", message: "hi" }), "CONVERSATION_NOT_FOUND");
    for (const name of ["TRIGGER_SECRET_KEY", "POLARIS_CONVEX_INTERNAL_KEY"]) {
      const value = process.env[name];
      process.env[name] = "";
      const error = await rejectsWith(send({ conversationId, message: "hi" }), "CONFIG_MISSING");
      assert.ok(error.message.startsWith(`${name} is not set`), error.message);
      process.env[name] = value;
    }
    assert.deepEqual(await processing(), [], "nothing was stored");
  });
});

describe("cancelling a message", () => {
  it("sets its status first, keeps its text and cancels the run", async () => {
    const { messageId, runId } = await send({ conversationId, message: "hi" });
    await streamed(messageId, "partial");
    assert.deepEqual(await cancel({ messageId }), { status: "cancelled", runCancelled: true });
    const { status, content } = await message(messageId);
    assert.deepEqual([status, content], ["cancelled", "partial"]);
    assert.deepEqual(services.cancelled, [runId]);
  });

  it("does nothing to one that is final", async () => {
    const { messageId } = await send({ conversationId, message: "hi" });
    await services.mutation("updateMessageContent", {
      messageId,
      content: "done",
      status: "completed",
    });
    assert.deepEqual(await cancel({ messageId }), { status: "completed", runCancelled: false });
    assert.deepEqual(services.cancelled, []);
    assert.equal((await message(messageId)).content, "done");
  });

  it("holds though the runner is out of reach, and reaches the run when asked again", async () => {
    const { messageId, runId } = await send({ conversationId, message: "hi" });
    services.outage = 400;
    assert.deepEqual(await cancel({ messageId }), { status: "cancelled", runCancelled: false });
    services.outage = undefined;
    assert.deepEqual(await cancel({ messageId }), { status: "cancelled", runCancelled: true });
    assert.deepEqual(services.cancelled, [runId]);
  });

  it("that does not exist says so", async () => {
    await rejectsWith(cancel({ messageId: "none" }), "MESSAGE_NOT_FOUND");
  });
});

describe("the check of dead runs", () => {
  for (const [runStatus, status, reported] of [
    ["CRASHED", "failed", 1],
    ["SYSTEM_FAILURE", "failed", 1],
    ["EXPIRED", "failed", 1],
    ["TIMED_OUT", "failed", 1],
    // The task's own hook has reported these.
    ["FAILED", "failed", 0],
    ["CANCELED", "cancelled", 0],
  ] as const) {
    it(`makes a message ${status} whose run is ${runStatus}, once`, async () => {
      const { messageId, runId } = await send({ conversationId, message: "hi" });
      run(runId).status = runStatus;
      const dead: DeadRun[] = [];
      const onDeadRun = (each: DeadRun) => void dead.push(each);
      assert.deepEqual(await repair({ projectId, onDeadRun }), {
        repaired: [{ messageId, status }],
      });
      assert.deepEqual(await repair({ projectId, onDeadRun }), { repaired: [] });
      assert.equal((await message(messageId)).status, status);
      assert.equal(dead.length, reported);
    });
  }

  it("reports a run that died without a word to Sentry, once, without secrets", async () => {
    const sentry = await startSentry();
    process.env.SENTRY_DSN = sentry.dsn;
    try {
      const { messageId, runId } = await send({ conversationId, message: "hi" });
      await streamed(messageId, "a private answer");
      run(runId).status = "CRASHED";
      // Found by the next message; those who look again, at the same time or later, say nothing.
      await Promise.all([
        repair({ projectId }),
        repair({ messageId }),
        send({ conversationId, message: "again" }),
      ]);
      await repair({ projectId });
      const { events } = (await (await fetch(`${sentry.url}/admin/events`)).json()) as {
        events: { tags: object; extra: object; exception: { values: { type: string }[] } }[];
      };
      assert.equal(events.length, 1);
      const [event] = events;
      assert.deepEqual(event?.tags, { taskId: "process-message", runId, code: "RUN_LOST" });
      assert.deepEqual(event?.extra, {
        ...{ taskId: "process-message", runId, messageId, runStatus: "CRASHED" },
      });
      assert.equal(event?.exception.values[0]?.type, "DeadRun");
      const raw = await (await fetch(`${sentry.url}/admin/raw`)).text();
      const { POLARIS_CONVEX_INTERNAL_KEY = "", TRIGGER_SECRET_KEY = "" } = process.env;
      for (const secret of [POLARIS_CONVEX_INTERNAL_KEY, TRIGGER_SECRET_KEY, "private answer"]) {
        assert.ok(secret !== "" && !raw.includes(secret), secret);
      }
    } finally {
      delete process.env.SENTRY_DSN;
      await sentry.close();
    }
  });

  it("ends the message though the report does not arrive", async () => {
    process.env.SENTRY_DSN = "http://key@127.0.0.1:9/1";
    try {
      const { messageId, runId } = await send({ conversationId, message: "hi" });
      run(runId).status = "CRASHED";
      await repair({ messageId });
      assert.equal((await message(messageId)).status, "failed");
    } finally {
      delete process.env.SENTRY_DSN;
    }
  });

  it("leaves a message alone whose run is queued, at work or cannot be asked about", async () => {
    const { messageId, runId } = await send({ conversationId, message: "hi" });
    for (const status of ["QUEUED", "EXECUTING", "DELAYED"]) {
      run(runId).status = status;
      assert.deepEqual(await repair({ messageId }), { repaired: [] });
    }
    services.outage = 400;
    await assert.rejects(repair({ projectId }));
    assert.equal((await message(messageId)).status, "processing");
  });

  it("makes a message failed whose run nobody knows", async () => {
    const { messageId, runId } = await send({ conversationId, message: "hi" });
    services.runs.delete(runId);
    assert.deepEqual(await repair({ messageId }), { repaired: [{ messageId, status: "failed" }] });
  });

  it("gives a message that never got a run a minute", async () => {
    const args = {
      projectId,
      conversationId,
      role: "assistant",
      content: "",
      status: "processing",
    };
    const messageId = await services.mutation<string>("createMessage", args);
    assert.deepEqual(await repair({ projectId }), { repaired: [] });
    const now = Date.now();
    mock.method(Date, "now", () => now + 61_000);
    try {
      assert.deepEqual(await repair({ projectId }), {
        repaired: [{ messageId, status: "failed" }],
      });
    } finally {
      mock.restoreAll();
    }
  });
});
