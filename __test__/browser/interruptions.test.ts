// What people and networks do in the middle: reload, a second tab, impatient clicks, a restart of the
// database, lost replies. The page catches up by itself, and nothing happens twice.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { api } from "../../app/convex/_generated/api.js";
import { startApp } from "../../local/app/index.ts";
import { eventually } from "../end-to-end/fixtures/servers.ts";
import { Lab, NO_BROWSER } from "./fixtures/lab.ts";
import { startLossyProxy } from "./fixtures/lossy-proxy.ts";
import { ProjectPage } from "./fixtures/project-page.ts";

const STORY = Array.from({ length: 300 }, (_, n) => `Sentence number ${n + 1}.`).join(" ");
/** About eight seconds: there is time for an interruption in the middle. */
const SLOWLY = [{ text: STORY, deltasPerSecond: 180 }];
/** Only Stop ends it. */
const ENDLESS = [{ text: STORY.repeat(20), deltasPerSecond: 60 }];
/** Messages of a conversation that is longer than a page of it. */
const MANY = 240;
/** What a browser says of connections that the test cuts. */
const CUT = /WebSocket|ERR_|Failed to load resource/;

interface Row {
  _id: string;
  projectId: string;
  conversationId: string;
  role: string;
  content: string;
  status?: string;
}

describe("in the middle of an answer", { skip: NO_BROWSER }, () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.start("interruptions");
  });
  after(() => lab?.close());
  afterEach(() => lab.tidy());

  const messagesOf = async (projectId: string): Promise<Row[]> =>
    (await lab.world.convex.table<Row>("messages")).filter((row) => row.projectId === projectId);

  it("a reload goes on where the answer is", async () => {
    await lab.world.script("Reload me", SLOWLY);
    const project = await lab.project("Reloaded");
    await project.say("Reload me");
    const before = await project.streams();
    await project.page.reload();
    const after = await project.streams();
    assert.ok(after.startsWith(before), "nothing of the text is missing");
    assert.ok(await project.stop.isVisible(), "it can still be stopped");
    await project.answered("completed");
    assert.equal(await project.text(), STORY);
  });

  it("a second tab shows the same, and its Stop stops both", async () => {
    await lab.world.script("Two tabs", ENDLESS);
    const first = await lab.project("Two tabs");
    const second = new ProjectPage(await lab.tab(first.page.context()));
    await second.open(first.projectId);
    await first.say("Two tabs");
    await first.streams();
    await second.streams();
    await second.stop.click();
    await first.answered("cancelled");
    await second.answered("cancelled");
    assert.equal(await first.text(), await second.text());
  });

  it("the network is gone for a while", async () => {
    await lab.world.script("Without a network", SLOWLY);
    const { projectId } = await lab.world.conversation("Offline");
    const project = new ProjectPage(await lab.page({ allow: CUT }));
    const network = await lab.network(project.page);
    await project.open(projectId);
    await project.say("Without a network");
    await project.streams();
    await network.cut();
    await project.shows("Connection lost. Reconnecting…");
    const before = await project.text();
    await lab.world.model.waitFor({ contains: "Without a network", type: "finished" });
    assert.equal(await project.text(), before, "nothing arrives without a network");
    await network.back();
    await project.answered("completed");
    assert.equal(await project.text(), STORY);
  });

  it("the database is restarted", async () => {
    await lab.world.script("Restart the host", SLOWLY);
    const project = await lab.project("Restarted host", { allow: CUT });
    await project.say("Restart the host");
    await project.streams();
    await lab.world.stack.restart("convex");
    await project.answered("completed");
    assert.equal(await project.text(), STORY);
    // Where an answer of before would go on, a new one begins.
    await lab.world.script("Are you back?", [{ text: "Yes." }]);
    await project.say("Are you back?");
    await eventually("the second answer", async () =>
      (await project.text()) === "Yes." ? true : undefined,
    );
  });

  it("a reader who scrolls up stays there, and nothing jumps while it streams", async () => {
    await lab.world.script("Let me read", [
      { text: `${"A line to read.\n\n".repeat(60)}`, deltasPerSecond: 300 },
      ...SLOWLY,
    ]);
    const project = await lab.project("Reader");
    const { page } = project;
    await project.say("Let me read");
    await project.answered("completed");
    // At its end the list follows what comes.
    const list = page.getByRole("log", { name: "Messages" });
    const fromEnd = () =>
      list.evaluate((box) => Math.round(box.scrollHeight - box.scrollTop - box.clientHeight));
    assert.equal(await fromEnd(), 0);
    await project.say("Let me read");
    await project.streams();
    assert.ok((await fromEnd()) <= 1, "the list follows the answer");

    await list.hover();
    await page.mouse.wheel(0, -600);
    await page.getByRole("button", { name: "Newest" }).waitFor();
    await page.evaluate(() => {
      const seen = window as unknown as { shift: number };
      seen.shift = 0;
      new PerformanceObserver((entries) => {
        for (const entry of entries.getEntries()) {
          seen.shift += (entry as PerformanceEntry & { value: number }).value;
        }
      }).observe({ type: "layout-shift" });
    });
    const where = await list.evaluate((box) => box.scrollTop);
    const before = await project.text();
    await project.answered("completed");
    assert.ok((await project.text()).length > before.length, "more was written meanwhile");
    assert.equal(await list.evaluate((box) => box.scrollTop), where, "the reader has not moved");
    const shift = await page.evaluate(() => (window as unknown as { shift: number }).shift);
    assert.equal(shift, 0, "nothing has jumped");
    await page.getByRole("button", { name: "Newest" }).click();
    assert.ok((await fromEnd()) <= 1);
  });

  it("a reader who goes back finds every earlier message, and stays in their place", async () => {
    const { world } = lab;
    const { projectId, conversationId } = await world.conversation("A long conversation");
    const where = { internalKey: world.internalKey, projectId, conversationId };
    for (let n = 1; n <= MANY / 2; n++) {
      const question = { ...where, role: "user" as const, content: `Question ${n}` };
      await world.store.mutation(api.system.createMessage, question);
      const answer = { ...where, role: "assistant" as const, content: `Answer ${n}\n\nDone.` };
      await world.store.mutation(api.system.createMessage, { ...answer, status: "completed" });
    }
    const page = await lab.page();
    const project = new ProjectPage(page);
    await project.open(projectId);
    const rows = page.getByRole("log", { name: "Messages" }).getByRole("article");
    await project.shows(`Question ${MANY / 2}`);
    assert.ok((await rows.count()) < MANY, "the page does not begin with all of them");

    const list = page.getByRole("log", { name: "Messages" });
    const moves: number[] = [];
    for (;;) {
      const before = await rows.count();
      const first = await list
        .getByText(/^Question \d+$/)
        .first()
        .textContent();
      if (first === "Question 1") break;
      // To the first message that is there, as a reader goes; what it is about stays in its place.
      const top = await list.evaluate((box) => {
        box.scrollTop = 40;
        return [...box.querySelectorAll("article")][2]?.getBoundingClientRect().top ?? 0;
      });
      await eventually("earlier messages", async () =>
        (await rows.count()) > before ? true : undefined,
      );
      const added = (await rows.count()) - before;
      const now = await rows.nth(added + 2).evaluate((row) => row.getBoundingClientRect().top);
      moves.push(Math.abs(now - top));
    }
    assert.ok(moves.length >= 3, `${moves.length} pages`);
    assert.ok(Math.max(...moves) <= 1, `a message has moved by ${moves.join(", ")} pixels`);
    assert.equal(await rows.count(), MANY);
    await list.evaluate((box) => box.scrollTo(0, 0));
    await project.shows("The beginning of the conversation");

    // What is sent now is at the end; nothing of what was there before is lost.
    await world.script("One more", [{ text: "And its answer." }]);
    await project.say("One more");
    await project.shows("And its answer.");
    await project.answered("completed");
    assert.equal(await rows.count(), MANY + 2);
    await lab.screenshot(page, "a-long-conversation");
  });

  it("two clicks on Send are one message", async () => {
    await lab.world.script("Sent with two clicks", [{ text: "Once." }]);
    const project = await lab.project("Double click");
    await project.message.fill("Sent with two clicks");
    await project.send.dblclick();
    await project.answered("completed");
    const rows = await messagesOf(project.projectId);
    assert.deepEqual(
      rows.map(({ role }) => role),
      ["user", "assistant"],
    );
  });

  it("Stop is pressed again and again, by mouse and by key", async () => {
    await lab.world.script("Stop it twice", ENDLESS);
    const project = await lab.project("Stopped twice");
    await project.say("Stop it twice");
    await project.streams();
    await project.stop.dblclick();
    await project.page.keyboard.press("Escape");
    await project.answered("cancelled");
    await lab.world.model.waitFor({ contains: "Stop it twice", type: "client-closed" });
    await project.showsNot(/could not be stopped/);
  });

  it("Esc stops, Shift+Enter begins a new line", async () => {
    await lab.world.script("By keyboard", ENDLESS);
    const project = await lab.project("Keyboard");
    await project.message.fill("By keyboard");
    await project.message.press("Shift+Enter");
    await project.message.pressSequentially("alone");
    assert.equal(await project.message.inputValue(), "By keyboard\nalone");
    await project.message.press("Enter");
    await project.streams();
    await project.page.keyboard.press("Escape");
    await project.answered("cancelled");
    const [question] = await messagesOf(project.projectId);
    assert.equal(question?.content, "By keyboard\nalone");
  });

  it("what was typed survives a send that fails, and a reload", async () => {
    const project = await lab.project("Kept text", { allow: CUT });
    const { page } = project;
    await page.route("**/api/messages", (route) => route.abort());
    await project.say("Do not lose this");
    await page
      .getByRole("alert")
      .getByText(/could not be reached/)
      .waitFor();
    assert.equal(await project.message.inputValue(), "Do not lose this");
    await page.reload();
    await project.message.waitFor();
    await eventually("the draft", async () =>
      (await project.message.inputValue()) === "Do not lose this" ? true : undefined,
    );
    await page.unroute("**/api/messages");
    await lab.world.script("Do not lose this", [{ text: "I have it." }]);
    await project.message.press("Enter");
    await project.answered("completed");
    assert.equal(await project.message.inputValue(), "");
    assert.equal((await messagesOf(project.projectId)).length, 2);
  });

  it("the first reply of the job runner is lost", async () => {
    const { env, appEnv } = lab.world.stack;
    const proxy = await startLossyProxy(env.TRIGGER_API_URL ?? "", /^POST .*\/trigger$/);
    const app = await startApp({
      mode: "production",
      port: 0,
      env: { ...env, ...appEnv, TRIGGER_API_URL: proxy.url },
    });
    try {
      await lab.world.script("A lost reply", [{ text: "Answered once." }]);
      const project = await lab.project("Lost reply", { baseURL: app.url });
      await project.say("A lost reply");
      await project.answered("completed");
      assert.equal(await project.text(), "Answered once.");
      assert.equal(proxy.lost(), 1, "the proxy lost a reply");
      const asked = (await lab.world.model.requests()).filter(
        ({ conversation }) => conversation === "A lost reply",
      );
      assert.equal(asked.length, 1, "one run, one request");
    } finally {
      await app.close();
      await proxy.close();
    }
  });

  it("two clicks on Generate are one project, and Stop works after a reload", async () => {
    const description = "A garden planner with beds and seasons";
    const page = await lab.page();
    await page.goto("/");
    await page.getByRole("button", { name: "Generate project" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("What shall it be?").fill(description);
    await dialog.getByLabel("Name (optional)").fill("Garden planner");
    await dialog.getByRole("button", { name: "Generate" }).dblclick();
    await page.waitForURL(/view=log/);
    await page.getByText(/Step \d of 9/).waitFor();

    await page.reload();
    await page.getByRole("button", { name: "Stop the generation" }).click();
    await page.getByText("The generation was cancelled.").waitFor();
    await page.getByRole("button", { name: "Go on from here" }).waitFor();
    await lab.screenshot(page, "a-generation-stopped");

    const made = (await lab.world.convex.table<{ name: string }>("projects")).filter(
      ({ name }) => name === "Garden planner",
    );
    assert.equal(made.length, 1);
  });
});
