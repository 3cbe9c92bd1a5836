// Each process of the stack is killed in the middle of a run and started again. Afterwards no message
// says `processing` and no text is there twice: the run goes on, is repeated, or is found dead.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { DEMO_PROJECT } from "../../local/stack/demo-project.ts";
import { runWorkers } from "./fixtures/processes.ts";
import {
  assertOneEnd,
  callsOf,
  type Message,
  messages,
  type Sent,
  World,
} from "./fixtures/world.ts";

const FIRST = "I read the file first. ";
const LAST = "Größe zählt nicht: 完成 🎉, one line after the other. ".repeat(20);
const READ = { id: "call_read", name: "readFile", args: { path: "README.md" } };
const ANSWER_DELTAS = 30;

let world: World;
before(async () => {
  // As `npm start` has it: the check of dead runs looks from time to time.
  world = await World.start("restart", { supervise: true });
});
after(() => world?.close());

/** A message that has called a tool and streams, for some seconds. */
async function underWay(about: string): Promise<Sent> {
  const sent = await world.send(
    about,
    [
      { text: FIRST, toolCalls: [READ] },
      { text: LAST, chunkChars: 4, deltasPerSecond: 60 },
    ],
    { by: "position" },
  );
  await sent.streamed(ANSWER_DELTAS);
  await sent.watched.until(({ content }) => content.length > FIRST.length);
  return sent;
}

/** What it is whichever way it ended. */
function assertNothingTwice(message: Message): void {
  const { content, status } = message;
  const text = FIRST + LAST;
  assert.ok(text.startsWith(content), `not the beginning of the answer: ${content.slice(0, 120)}`);
  if (status === "completed") assert.equal(content, text);
  assert.deepEqual(
    callsOf(message).map(({ id, result }) => [id, result]),
    [["call_read", DEMO_PROJECT["README.md"]]],
  );
}

/** The stack is as good as before. */
async function assertWorks(about: string): Promise<void> {
  const next = await world.send(about, [{ text: "All well." }]);
  const { status, content } = await next.final();
  assert.deepEqual([status, content], ["completed", "All well."]);
}

async function assertNoneProcessing(): Promise<void> {
  const stuck = (await world.convex.table<Message>("messages")).filter(
    ({ status }) => status === "processing",
  );
  assert.deepEqual(stuck, []);
}

describe("killed in the middle of a run and started again:", () => {
  it("the control plane, and the run goes on", async () => {
    const sent = await underWay("Kill the control plane");
    await world.stack.restart("control-plane");
    const message = await sent.final();
    assertNothingTwice(message);
    assert.equal(message.status, "completed");
    assert.equal(await sent.attempts(), 1);
    assert.equal((await sent.requests()).length, 2, "the model was not asked again");
    assertOneEnd(await sent.commits());
    await assertWorks("After the control plane");
  });

  it("the Convex host, and the text is complete all the same", async () => {
    const sent = await underWay("Kill Convex");
    await world.stack.restart("convex");
    const message = await sent.final();
    assertNothingTwice(message);
    assert.equal(message.status, "completed");
    assert.equal(await sent.attempts(), 1);
    assertOneEnd(await sent.commits());
    await assertWorks("After Convex");
  });

  it("the process of the run, and the runner repeats it once", async () => {
    const sent = await underWay("Kill the worker");
    const { cli } = world.stack;
    assert.ok(cli !== undefined);
    const workers = runWorkers(cli.pid);
    assert.ok(workers.length > 0);
    for (const pid of workers) process.kill(pid, "SIGKILL");
    const message = await sent.final();
    assertNothingTwice(message);
    assert.equal(message.status, "completed");
    assert.equal(await sent.attempts(), 2);
    assertOneEnd(await sent.commits());
    await assertWorks("After the worker");
  });

  it("the CLI, and the message gets a final status", async (t) => {
    const sent = await underWay("Kill the CLI");
    await world.stack.kill("cli");
    await world.stack.start("cli");
    const message = await sent.final();
    t.diagnostic(`${message.status} after ${await sent.attempts()} attempts`);
    assertNothingTwice(message);
    assert.notEqual(message.status, "processing");
    assertOneEnd(await sent.commits());
    await assertWorks("After the CLI");
  });

  it("the CLI, while a message is cancelled: it stays cancelled", async () => {
    const sent = await underWay("Kill the CLI and cancel");
    await world.stack.kill("cli");
    const { status } = await messages.cancel({ messageId: sent.messageId });
    assert.equal(status, "cancelled");
    const partial = await sent.now();
    await world.stack.start("cli");
    const message = await sent.final();
    assert.deepEqual([message.status, message.content], ["cancelled", partial.content]);
    assertNothingTwice(message);
    assertOneEnd(await sent.commits());
    await assertWorks("After the CLI and the cancel");
  });

  it("none of the messages is left behind", assertNoneProcessing);
});
