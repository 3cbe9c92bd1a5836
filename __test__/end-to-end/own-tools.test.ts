// An app's own tools in its own task, under the official CLI: journal, order, failures and cancel are
// those of the built-in ones.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { fileURLToPath } from "node:url";
import { assertEnded, callsOf, messages, World } from "./fixtures/world.ts";

let world: World;
before(async () => {
  const folder = fileURLToPath(new URL("./fixtures/own-tools", import.meta.url));
  world = await World.start("own-tools", { tasks: folder });
});
after(() => world?.close());

it("work beside the built-in ones, are stored like them, and know project and run", async () => {
  const sent = await world.send("What did Ada order?", [
    {
      text: "I look. ",
      toolCalls: [
        { id: "c_find", name: "findOrders", args: { customer: "Ada" } },
        { id: "c_none", name: "findOrders", args: { customer: "nobody" } },
        { id: "c_bad", name: "findOrders", args: { customer: 7 } },
        { id: "c_write", name: "writeFile", args: { path: "orders.txt", content: "two" } },
        { id: "c_read", name: "readFile", args: { path: "orders.txt" } },
        { id: "c_run", name: "executeCommand", args: { command: "npm test" } },
      ],
    },
    { text: "She ordered two." },
  ]);
  const { status, content } = await sent.final();
  assert.deepEqual([status, content], ["completed", "I look. She ordered two."]);
  const results = new Map(callsOf(await sent.now()).map(({ id, result }) => [id, String(result)]));
  const { idempotencyKey, ...found } = JSON.parse(results.get("c_find") ?? "");
  assert.deepEqual(found, {
    customer: "Ada",
    most: 2,
    projectId: sent.projectId,
    runId: sent.runId,
  });
  assert.ok(String(idempotencyKey).startsWith(`${sent.messageId}:`), idempotencyKey);
  assert.equal(
    results.get("c_none"),
    "Error: findOrders failed: there is no customer called nobody",
  );
  assert.match(
    results.get("c_bad") ?? "",
    /^Error: invalid arguments for findOrders: `customer`: .* was not run\.$/,
  );
  assert.equal(results.get("c_write"), "Successfully wrote to orders.txt");
  assert.equal(results.get("c_read"), "this app's orders.txt");
  assert.match(results.get("c_run") ?? "", /^Error: there is no tool "executeCommand"/);
  const [first] = await sent.requests();
  assert.ok(first !== undefined);
  const { messages: told } = first.body as { messages: { content: string }[] };
  assert.equal(told[0]?.content, "You work in a shop.");
});

it("editFile is there when it is named, and says with the edit what it broke", async () => {
  const args = { path: "sum.ts", oldText: "= 1;", newText: '= "one";' };
  const sent = await world.send("Break the sum", [
    {
      toolCalls: [
        {
          id: "c_write",
          name: "writeFile",
          args: { path: "sum.ts", content: "export const sum: number = 1;\n" },
        },
        { id: "c_edit", name: "editFile", args },
        { id: "c_again", name: "editFile", args },
      ],
    },
    { text: "It is broken." },
  ]);
  assert.equal((await sent.final()).status, "completed");
  const results = new Map(callsOf(await sent.now()).map(({ id, result }) => [id, String(result)]));
  assert.match(
    results.get("c_edit") ?? "",
    /^Successfully edited sum\.ts \(1 replacement, line 1\)\n\n(Found 1 diagnostic.*\n\[error\] sum\.ts:1:14 - TS2322|.* sum\.ts)/,
  );
  assert.match(results.get("c_again") ?? "", /^Error editing file: .*not found/);
  const files = new Map((await sent.files()).map(({ path, content }) => [path, content]));
  assert.equal(files.get("sum.ts"), 'export const sum: number = "one";\n');
});

it("that never end are told to stop when the message is cancelled", async () => {
  const call = { id: "c_hang", name: "askTheWarehouse", args: { forever: true } };
  const sent = await world.send("Ask the warehouse", [{ text: "Asking. ", toolCalls: [call] }]);
  await world.printed("the warehouse is asked");
  await messages.cancel({ messageId: sent.messageId });
  const { status, content } = await sent.final();
  assert.deepEqual([status, content], ["cancelled", "Asking. "]);
  assertEnded(await sent.commits(), "cancelled");
  assert.equal(await sent.runStatus(), "CANCELED");
  await world.printed("the warehouse was told to stop");
});

it("that are fatal end the message as failed, in one attempt, and are reported", async () => {
  const call = { id: "c_close", name: "closeShop", args: {} };
  const sent = await world.send("Close the shop", [{ text: "Closing. ", toolCalls: [call] }]);
  const { status, content } = await sent.final();
  assert.deepEqual([status, content], ["failed", "Closing. "]);
  assert.equal(await sent.attempts(), 1);
  await world.printed("TOOL_FATAL: closeShop: the shop is closed");
});

it("no message of all these was written to after its end", () => world.assertOneEndEach());
