// Cancelling a message at every moment of its life. Whatever the moment: one final status, the partial
// text kept, the model's socket closed, nothing written afterwards, and no other run disturbed, also
// not one that comes later in the same worker process.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { runWorkers } from "./fixtures/processes.ts";
import { eventually } from "./fixtures/servers.ts";
import type { Message } from "./fixtures/world.ts";
import { assertEnded, callsOf, messages, type Sent, World } from "./fixtures/world.ts";

/** Stands in a message that was cancelled before it had any text. */
const CANCELLED_TEXT = "Message was cancelled.";
/** About 40 s: only a cancel ends it early. */
const STORY = { text: "The north star stands still. ".repeat(560), chunkChars: 4 };
const LONG = { ...STORY, deltasPerSecond: 100 };
const SOME_DELTAS = 40;
/** Of about 1.3 s each; a run has ten at most. */
const MEANWHILE_TURNS = 9;
/** Longer than the rest of a case takes; whoever waited for it is gone by then. */
const HELD_MS = 2_500;

let world: World;
before(async () => {
  world = await World.start("cancel");
});
afterEach(() => world.convex.faults());
after(() => world?.close());

/** Another message, which streams and calls tools for as long as the one of `work` takes. */
async function besideAnother(work: () => Promise<Sent>): Promise<void> {
  const text = "Meanwhile: Größe 完成 🎉. ".repeat(22);
  const turns = Array.from({ length: MEANWHILE_TURNS }, (_, n) => ({
    text,
    chunkChars: 4,
    deltasPerSecond: 100,
    toolCalls: [{ id: `call_${n}`, name: "listFiles", args: { path: `src${"/".repeat(n)}` } }],
  }));
  const other = await world.send("Another message", turns, { by: "position" });
  await other.hasText();
  const cancelledAt = await cancelCommit(await work());
  // The newest script counts: its next turn is its last.
  await world.script(other.text, [{ text: "The end." }], { by: "position", loop: true });
  const message = await other.final();
  const sent = (await other.requests()).map((request) => request.text).join("");
  assert.deepEqual([message.status, message.content], ["completed", sent], "the other message");
  assert.match(sent, /^Meanwhile.*The end\.$/s);
  assert.ok(callsOf(message).every(({ result }) => /App\.tsx/.test(String(result))));
  assert.equal(await other.attempts(), 1, "the other run");
  const finished = (await other.modelLog("finished")).at(-1);
  assert.ok(finished !== undefined && finished.at > cancelledAt, "both at the same time");
}

async function cancel(sent: Sent): Promise<void> {
  const { status } = await messages.cancel({ messageId: sent.messageId });
  assert.equal(status, "cancelled");
}

/** What holds whenever a cancel was in time. */
async function assertCancelled(sent: Sent): Promise<Message> {
  const message = await sent.final();
  assert.equal(message.status, "cancelled");
  assertEnded(await sent.commits(), "cancelled");
  // It sees the message's status, or the runner's cancel: whichever comes first.
  assert.match(await sent.runStatus(), /^(CANCELED|COMPLETED_SUCCESSFULLY)$/);
  assert.equal((await world.runs.of(sent.runId, "finished")).length, 1);
  await eventually("the model has no open request of it", async () =>
    (await sent.requests()).every(({ over }) => over) ? true : undefined,
  );
  return message;
}

/** The text that was stored is the beginning of what the model sent. */
async function assertPartial(sent: Sent, { content }: Message): Promise<void> {
  const text = (await sent.requests()).at(-1)?.text ?? "";
  assert.ok(content !== "" && content !== CANCELLED_TEXT, "there is text");
  assert.ok(text.startsWith(content), `not what the model sent: ${content.slice(0, 80)}`);
}

async function cancelCommit(sent: Sent): Promise<number> {
  const [commit] = (await sent.commits()).filter(({ status }) => status === "cancelled");
  assert.ok(commit !== undefined);
  return commit.at;
}

describe("a message that is cancelled", () => {
  it("before its run id is stored stops before the model is asked", async () => {
    await besideAnother(async () => {
      await world.convex.faults(
        { path: "system:updateMessageTriggerRunId", latencyMs: HELD_MS, count: 1 },
        { path: "system:beginMessage", latencyMs: HELD_MS, count: 1 },
      );
      const conversation = await world.conversation("Cancel me before I begin");
      await world.script(conversation.text, [LONG]);
      const { conversationId, text } = conversation;
      const sending = messages.send({ conversationId, message: text });
      const { messageId = "" } = await world.convex.held(
        "the run id on its way to the message",
        ({ path }) => path === "system:updateMessageTriggerRunId",
      );
      assert.deepEqual(await messages.cancel({ messageId }), {
        status: "cancelled",
        runCancelled: false,
      });
      const sent = world.follow({ ...conversation, ...(await sending) });
      assert.equal(sent.messageId, messageId);
      const { content, triggerRunId } = await assertCancelled(sent);
      assert.deepEqual([content, triggerRunId], [CANCELLED_TEXT, sent.runId]);
      assert.equal((await world.runs.of(sent.runId, "cancel requested")).length, 1);
      assert.deepEqual(await sent.requests(), []);
      return sent;
    });
  });

  it("while it streams keeps its partial text, and the model's socket closes", async (t) => {
    await besideAnother(async () => {
      const sent = await world.send("Cancel me while I stream", [LONG]);
      await Promise.all([sent.hasText(), sent.streamed(SOME_DELTAS)]);
      await cancel(sent);
      await assertPartial(sent, await assertCancelled(sent));
      const [closed, ...more] = await sent.modelLog("client-closed");
      assert.deepEqual(more, []);
      assert.ok(closed !== undefined, "the model's client went away");
      const [asked] = await world.runs.of(sent.runId, "cancel requested");
      const status = await cancelCommit(sent);
      assert.ok(asked !== undefined && status <= asked.at, "the status first, then the run");
      assert.ok(closed.at >= status, "the socket not before the status");
      t.diagnostic(`the socket closed ${Math.round(closed.at - asked.at)} ms after runs.cancel`);
      return sent;
    });
  });

  it("during a tool call keeps its text and gives the call no result", async () => {
    await besideAnother(async () => {
      await world.convex.faults({ path: "system:readFileByPath", latencyMs: HELD_MS, count: 1 });
      const text = "I read the file. ";
      const call = { id: "call_slow", name: "readFile", args: { path: "README.md" } };
      const sent = await world.send("Cancel me in a tool", [
        { text, toolCalls: [call] },
        { text: "Never asked for." },
      ]);
      await world.convex.held("the tool's call", ({ path }) => path === "system:readFileByPath");
      // A tool that only reads does not wait until the call is stored.
      await sent.watched.until((message) => callsOf(message).length === 1);
      await cancel(sent);
      const message = await assertCancelled(sent);
      assert.equal(message.content, text);
      assert.deepEqual(callsOf(message), [call]);
      assert.equal((await sent.requests()).length, 1);
      return sent;
    });
  });

  it("while the runner waits to retry it gets no further attempt", async () => {
    await besideAnother(async () => {
      const failing = { ...LONG, fail: { cutAfterDeltas: SOME_DELTAS }, repeat: 3 };
      const sent = await world.send("Cancel me between attempts", [failing, LONG]);
      await world.runs.until("retry scheduled", sent.runId);
      const { content: partial, status } = await sent.now();
      assert.equal(status, "processing");
      await cancel(sent);
      const message = await assertCancelled(sent);
      assert.equal(message.content, partial);
      await assertPartial(sent, message);
      assert.deepEqual([await sent.attempts(), (await sent.requests()).length], [1, 3]);
      return sent;
    });
  });

  it("while its last write is on the way is cancelled all the same", async () => {
    await besideAnother(async () => {
      // Two writes: one that begins with the first text, and behind it the last.
      await world.convex.faults({ path: "system:*MessageContent", latencyMs: HELD_MS });
      const sent = await world.send("Cancel me at the end", [
        { text: "Short. ".repeat(20), chunkChars: 4, deltasPerSecond: 100 },
      ]);
      const mine = ({ messageId }: { messageId?: string }) => messageId === sent.messageId;
      const first = await world.convex.held("its first write", mine);
      await world.model.waitFor({ type: "finished", contains: sent.text });
      const last = await world.convex.held(
        "its last write",
        (call) => mine(call) && call.at > first.at,
      );
      await cancel(sent);
      await assertPartial(sent, await assertCancelled(sent));
      const late = await world.convex.call(
        "the last write has arrived",
        (call) => mine(call) && call.at === last.at,
      );
      assert.deepEqual([late.ok, late.documentsChanged], [true, []], "refused");
      assert.equal((await sent.now()).status, "cancelled");
      return sent;
    });
  });

  it("on the runner's own page is cancelled by its run", async () => {
    await besideAnother(async () => {
      const sent = await world.send("Cancel my run", [LONG]);
      await Promise.all([sent.hasText(), sent.streamed(SOME_DELTAS)]);
      await world.trigger.runs.cancel(sent.runId);
      await assertPartial(sent, await assertCancelled(sent));
      assert.equal(await sent.runStatus(), "CANCELED");
      assert.equal((await sent.modelLog("client-closed")).length, 1);
      return sent;
    });
  });

  it("after its end stays as it is", async () => {
    const sent = await world.send("Cancel me too late", [{ text: "Done." }]);
    const before_ = await sent.final();
    const commits = await sent.commits();
    assert.deepEqual(await messages.cancel({ messageId: sent.messageId }), {
      status: "completed",
      runCancelled: false,
    });
    assert.deepEqual(await sent.now(), before_);
    assert.deepEqual(await sent.commits(), commits);
    assert.deepEqual(await world.runs.of(sent.runId, "cancel requested"), []);
  });
});

describe("a worker process that is kept alive", () => {
  it("answers the next message after a cancel that its run saw, and after any other", async () => {
    const { cli } = world.stack;
    assert.ok(cli !== undefined);
    const sent = await world.send("Before", [{ text: "One." }]);
    await sent.final();
    const kept = runWorkers(cli.pid);
    assert.ok(kept.length > 0, "no process was kept");
    for (const nth of [1, 2, 3]) {
      const cancelled = await world.send(`Cancel ${nth}`, [LONG]);
      await cancelled.hasText();
      await cancel(cancelled);
      await assertPartial(cancelled, await assertCancelled(cancelled));
      const next = await world.send(`Next ${nth}`, [{ text: "Answer. ".repeat(20) }]);
      const { status, content } = await next.final();
      assert.deepEqual([status, content], ["completed", "Answer. ".repeat(20)]);
      assert.equal(await next.attempts(), 1);
    }
    // The same process again, when nothing was cancelled in between.
    const alive = runWorkers(cli.pid);
    const last = await world.send("Last", [{ text: "Two." }]);
    assert.equal((await last.final()).status, "completed");
    assert.deepEqual(runWorkers(cli.pid), alive, "no new process was needed");
  });
});

describe("a message whose run waits in the queue", () => {
  before(() => world.stack.kill("cli"));

  it("is cancelled at once, and its run never starts", async () => {
    const sent = await world.send("Cancel me in the queue", [LONG]);
    await cancel(sent);
    const { content } = await assertCancelled(sent);
    assert.equal(content, CANCELLED_TEXT);
    assert.equal(await sent.runStatus(), "CANCELED");
    await world.stack.start("cli");
    const next = await world.send("After the queue", [{ text: "Here." }]);
    assert.equal((await next.final()).content, "Here.");
    assert.deepEqual([await sent.attempts(), await sent.requests()], [0, []]);
    await world.stack.kill("cli");
  });

  it("and is cancelled on the runner's page gets its status by the check of dead runs", async () => {
    const sent = await world.send("Cancel my queued run", [LONG]);
    await world.trigger.runs.cancel(sent.runId);
    assert.equal((await sent.now()).status, "processing");
    await world.stack.repair();
    const { content } = await assertCancelled(sent);
    assert.equal(content, CANCELLED_TEXT);
    assert.deepEqual([await sent.attempts(), await sent.requests()], [0, []]);
  });
});

it("no message of all these was written to after its end", () => world.assertOneEndEach());
