// The demo job that scrapes and generates, through the official CLI: pages of a site on this machine,
// fetched by the Firecrawl stand-in, put before the question; what may not be scraped, named.

import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, it } from "node:test";
import type { DemoGenerated, demoGenerate } from "../../trigger/tasks/demo-generate.ts";
import { World } from "./fixtures/world.ts";

let world: World;
let site: Server;
let base: string;

before(async () => {
  site = createServer((request, response) => {
    if (request.url === "/inside") {
      response.writeHead(302, { location: "http://10.0.0.7/admin" }).end();
    } else {
      response.writeHead(200, { "content-type": "text/html" });
      response.end("<h1>Opening hours</h1><p>From nine to five.</p>");
    }
  });
  await new Promise<void>((settle) => site.listen(0, "127.0.0.1", settle));
  base = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  const env = { POLARIS_SCRAPE_ALLOW_LOOPBACK: "true" };
  world = await World.start("demo-generate", { env });
});
after(async () => {
  site?.close();
  site?.closeAllConnections();
  await world?.close();
});

async function run(prompt: string) {
  const { tasks, runs } = world.trigger;
  const { id } = await tasks.trigger<typeof demoGenerate>("demo-generate", { prompt });
  await world.runs.until("finished", id);
  return await runs.retrieve(id);
}

it("the pages that a prompt names are scraped and answered from; the others are named", async () => {
  const prompt = `When is it open? See ${base}/hours, ${base}/inside and http://192.168.0.1/.`;
  await world.script(prompt, [{ text: "From nine to five." }]);
  const { status, output } = await run(prompt);
  assert.equal(status, "COMPLETED");
  const { data, metadata, leftOut } = output as DemoGenerated;
  assert.equal(data, "From nine to five.");
  assert.deepEqual(metadata, { provider: "127.0.0.1", model: "scripted", usedFallback: false });
  assert.deepEqual(leftOut, [
    {
      url: `${base}/inside`,
      reason: "the page came from elsewhere: 10.0.0.7 is private or reserved",
    },
    { url: "http://192.168.0.1/", reason: "192.168.0.1 is private or reserved" },
  ]);
  const [request] = await world.model.requests();
  const { body } = await world.model.request(request?.id ?? assert.fail("the model was not asked"));
  assert.deepEqual((body as { messages: unknown }).messages, [
    {
      role: "user",
      content: `Context:\n# Opening hours\n\nFrom nine to five.\n\nQuestion: ${prompt}`,
    },
  ]);
});

it("a prompt without URLs is answered as it is", async () => {
  const prompt = "Say hello to the demo.";
  await world.script(prompt, [{ text: "Hello." }]);
  const { output } = await run(prompt);
  assert.deepEqual(output, {
    data: "Hello.",
    metadata: { provider: "127.0.0.1", model: "scripted", usedFallback: false },
  });
});

it("a payload without a prompt fails at once", async () => {
  const { id } = await world.trigger.tasks.trigger("demo-generate", {});
  await world.runs.until("finished", id);
  const { status, attemptCount, error } = await world.trigger.runs.retrieve(id);
  assert.deepEqual([status, attemptCount], ["FAILED", 1]);
  assert.match(error?.message ?? "", /^PAYLOAD_INVALID: payload/);
});

it("every task has its form on the runner's page, the demos with what they need", async () => {
  const { url } = world.stack.admin("control-plane");
  const page = await (await fetch(url)).text();
  const token = /name="page-token" content="([^"]+)"/.exec(page)?.[1] ?? "";
  const response = await fetch(`${url}/page/tasks`, { headers: { "x-page-token": token } });
  const { tasks } = (await response.json()) as { tasks: { id: string; example: unknown }[] };
  const examples = new Map(tasks.map(({ id, example }) => [id, example]));
  assert.deepEqual([...examples.keys()].sort(), [
    "demo-error",
    "demo-generate",
    "generate-project",
    "generation-step",
    "process-message",
  ]);
  assert.deepEqual(examples.get("demo-error"), {});
  assert.match(JSON.stringify(examples.get("demo-generate")), /^\{"prompt":".+"\}$/);
});
