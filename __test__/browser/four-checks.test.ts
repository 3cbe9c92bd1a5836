// The four checks that a person would make before anything else, in a real browser: a message streams;
// Cancel stops it; a project is generated in nine steps and appears in the dashboard; an error is
// visible.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { strFromU8, unzipSync } from "fflate";
import type { Page } from "playwright-core";
import { api } from "../../app/convex/_generated/api.js";
import { eventually } from "../end-to-end/fixtures/servers.ts";
import { Lab, NO_BROWSER } from "./fixtures/lab.ts";
import { ProjectPage } from "./fixtures/project-page.ts";

/** `npm install` and `npm run build` of the download; fetches packages. */
const BUILDS = process.env.POLARIS_TEST_GENERATED_BUILD === "1";
const SENTENCES = Array.from({ length: 60 }, (_, n) => `Sentence number ${n + 1} of the answer.`);

describe("the four checks of the plan", { skip: NO_BROWSER }, () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.start("four-checks");
  });
  after(() => lab?.close());
  afterEach(() => lab.tidy());

  it("a message streams", async () => {
    await lab.world.script("How does it stream?", [
      { text: SENTENCES.join(" "), deltasPerSecond: 150, firstByteMs: 300 },
    ]);
    // From the list of projects into a project, as a person goes.
    await lab.world.conversation("A page that streams");
    const page = await lab.page();
    await page.goto("/");
    await page.getByRole("link", { name: "A page that streams" }).click();
    const project = new ProjectPage(page);

    await project.say("How does it stream?");
    await project.answer.getByText("Thinking").waitFor();
    const early = await project.streams();
    assert.ok(early.length < SENTENCES.join(" ").length, "the text is shown before it is whole");
    await project.answer.getByText("Generating…").waitFor();
    assert.equal(await project.send.count(), 0, "Send is Stop meanwhile");

    await project.answered("completed");
    assert.equal(await project.text(), SENTENCES.join(" "));
    assert.equal(await project.stop.count(), 0);
    await project.send.waitFor();
    assert.equal(await project.message.inputValue(), "");
    await lab.screenshot(page, "a-message-streamed");
  });

  it("Cancel stops it", async () => {
    const text = "Tell me a very long story";
    await lab.world.script(text, [{ text: SENTENCES.join(" ").repeat(20), deltasPerSecond: 60 }]);
    const project = await lab.project("A page that stops");
    await project.say(text);
    const partial = await project.streams();
    await project.stop.click();

    const answer = await project.answered("cancelled");
    await answer.getByText("Cancelled").waitFor();
    const kept = await project.text();
    assert.ok(kept.length >= partial.length, "what was written is kept");
    // The model's socket is closed, and the run has ended: nothing can be written any more.
    await lab.world.model.waitFor({ contains: text, type: "client-closed" });
    const [message] = (
      await lab.world.convex.table<{ projectId: string; triggerRunId?: string; content: string }>(
        "messages",
      )
    ).filter(({ projectId, triggerRunId }) => projectId === project.projectId && triggerRunId);
    await lab.world.runs.until("finished", message?.triggerRunId);
    assert.equal(await project.text(), kept);
    assert.equal(message?.content.trim(), kept);
    await project.send.waitFor();
    await lab.screenshot(project.page, "a-message-cancelled");
  });

  it("a project is generated in nine steps and appears in the dashboard", async () => {
    const page = await lab.page();
    await page.goto("/");
    await page.getByRole("button", { name: "Generate project" }).click();
    const dialog = page.getByRole("dialog", { name: "Generate project" });
    await dialog
      .getByLabel("What shall it be?")
      .fill("A reading list with books and a yearly goal");
    await dialog.getByLabel("Name (optional)").fill("Reading list");
    await dialog.getByRole("button", { name: "Generate" }).click();

    // The log of the new project, and the list of projects beside it.
    await page.waitForURL(/\/projects\/.+view=log/);
    const list = await lab.tab(page.context());
    await list.goto("/");
    const row = list.getByRole("listitem").filter({ hasText: "Reading list" });
    await row.getByText(/Step \d of 9/).waitFor();
    await lab.screenshot(list, "a-project-is-generated-dashboard");

    const bar = page.getByRole("progressbar");
    const seen = new Set<number>();
    await eventually("the progress bar at step 9, or gone", async () => {
      if ((await bar.count()) === 0) return true;
      const value = Number(await bar.first().getAttribute("aria-valuenow"));
      if (value === 4 && !seen.has(4)) await lab.screenshot(page, "a-project-is-generated");
      seen.add(value);
      return value === 9 ? true : undefined;
    });
    assert.ok(seen.size >= 5, `the bar moved: ${[...seen].join(", ")}`);
    await bar.waitFor({ state: "detached" });

    const steps = page.getByRole("list", { name: "Steps" }).getByRole("listitem");
    assert.equal(await steps.count(), 9);
    assert.equal(await steps.filter({ hasText: "(done)" }).count(), 9);
    await page.getByText("Verification: done").waitFor();

    // Its files are there, and the list of projects has it first.
    await page.getByRole("button", { name: "Code", exact: true }).click();
    await page.getByRole("treeitem", { name: "package.json" }).waitFor();
    await page.getByRole("treeitem", { name: "README.md" }).waitFor();
    await row.getByText(/Step \d of 9/).waitFor({ state: "detached" });
    const first = list.getByRole("list", { name: "Projects" }).getByRole("link").first();
    assert.equal(await first.textContent(), "Reading list");
    await lab.screenshot(page, "a-project-was-generated");
    await downloadedWhole(page);
  });

  /** The .zip has every file as it is stored, and builds elsewhere (which is asked for by a variable). */
  async function downloadedWhole(page: Page): Promise<void> {
    const started = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download .zip" }).click();
    const download = await started;
    assert.equal(download.suggestedFilename(), "reading-list.zip");
    const files = unzipSync(await readFile(await download.path()));
    const stored = await lab.world.store.query(api.system.getAllProjectFiles, {
      internalKey: lab.world.internalKey,
      projectId: /projects\/([^/?]+)/.exec(page.url())?.[1] ?? "",
    });
    const texts = Object.entries(files).map(([path, bytes]) => [
      path.replace(/^reading-list\//, ""),
      strFromU8(bytes),
    ]);
    const wanted = stored.filter(({ type }) => type === "file");
    assert.ok(wanted.length > 20);
    assert.deepEqual(
      texts.sort(),
      wanted.map(({ path, content }): [string, string] => [path, content ?? ""]).sort(),
    );
    if (BUILDS) await builds(files);
  }

  it("an error is visible", async () => {
    const text = "Something that goes wrong";
    await lab.world.script(text, [
      {
        text: "This much was written. ",
        fail: { errorChunkAfterDeltas: 5, error: { code: 401, message: "the key is not valid" } },
      },
      { text: "And now it works." },
    ]);
    const project = await lab.project("A page with an error");
    await project.say(text);
    const answer = await project.answered("failed");
    await answer.getByText("The model provider refused the API key.").waitFor();
    assert.ok("This much was written.".startsWith(await project.text()));
    await lab.screenshot(project.page, "an-error-is-visible");

    // The way forward is beside it.
    await answer.getByRole("button", { name: "Retry" }).click();
    await project.answered("completed");
    assert.equal(await project.text(), "And now it works.");
  });
});

/** As somebody does who has downloaded it. */
async function builds(files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "polaris-download-"));
  try {
    for (const [path, bytes] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), bytes);
    }
    const cwd = join(folder, "reading-list");
    const npm = (...args: string[]) => promisify(execFile)("npm", args, { cwd });
    await npm("install", "--no-audit", "--no-fund");
    await npm("run", "build");
    assert.match(await readFile(join(cwd, "dist/index.html"), "utf8"), /assets\/index-/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
