// Every page and dialog, in both themes, wide and narrow: axe finds nothing serious, nothing is wider
// than the screen. What is looked at is kept as a screenshot.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, afterEach, before, describe, it } from "node:test";
import type { AxeResults, RunOptions } from "axe-core";
import type { Page } from "playwright-core";
import { api } from "../../app/convex/_generated/api.js";
import { LOCAL_USER_COOKIE, signLocalToken } from "../../app/src/auth/local.ts";
import { type App, startApp } from "../../local/app/index.ts";
import { eventually } from "../end-to-end/fixtures/servers.ts";
import { Lab, NO_BROWSER } from "./fixtures/lab.ts";
import { ProjectPage } from "./fixtures/project-page.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const MARKDOWN = [
  "# Title\n\nSome **bold** text with `code` and a [link](https://example.com).\n",
  "```ts\nconst answer: number = 42; // why not\n```\n",
  "| Name | Value |\n|---|---|\n| a | 1 |\n",
  "- one\n- two\n\n> quoted\n",
].join("\n");

async function problems(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(async (options: RunOptions) => {
    const { axe } = window as unknown as {
      axe: { run: (on: Document, options: RunOptions) => Promise<AxeResults> };
    };
    return await axe.run(document, options);
  }, {});
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
}

describe("pages for everybody", { skip: NO_BROWSER }, () => {
  let lab: Lab;
  let projectId: string;
  let generated: string;
  let strangers: App;
  before(async () => {
    lab = await Lab.start("accessibility");
    Object.assign(process.env, lab.world.stack.appEnv);
    projectId = await talkedAbout(lab);
    generated = await halfGenerated(lab);
    strangers = await signedOut();
  });
  after(async () => {
    await strangers?.close();
    await lab?.close();
  });
  afterEach(() => lab.tidy());

  /** An app whose people come from Stack Auth, and nobody has come yet. */
  async function signedOut(): Promise<App> {
    const { env, appEnv } = lab.world.stack;
    return await startApp({
      mode: "production",
      port: 0,
      env: {
        ...env,
        ...appEnv,
        NEXT_PUBLIC_STACK_PROJECT_ID: "11111111-2222-4333-8444-555555555555",
        NEXT_PUBLIC_STACK_PUBLISHABLE_CLIENT_KEY: "pck_none",
        STACK_SECRET_SERVER_KEY: "ssk_none",
        STACK_API_URL: "http://127.0.0.1:9",
      },
    });
  }

  for (const theme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      it(`${theme}, ${width} pixels wide`, async () => {
        const height = width < 500 ? 740 : 800;
        const page = await lab.page({
          theme,
          width,
          height,
          allow: /PROJECT_NOT_FOUND|40[14]|50\d/,
        });
        const found: string[] = [];
        const look = async (what: string): Promise<void> => {
          await page.evaluate(() => document.fonts.ready);
          await lab.screenshot(page, `${what}-${theme}-${width}`);
          for (const problem of await problems(page)) found.push(`${what}: ${problem}`);
          const wider = await page.evaluate(
            () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
          );
          if (wider > 0) found.push(`${what}: ${wider} pixels wider than the screen`);
        };
        const narrow = width < 1024;
        const view = async (name: string): Promise<void> => {
          if (narrow) await page.getByRole("button", { name, exact: true }).click();
        };

        await page.goto("/");
        await page.getByRole("link", { name: "A page to look at" }).waitFor();
        await look("dashboard");
        await page.getByRole("button", { name: "Actions for A page to look at" }).click();
        await look("dashboard-menu");
        await page.getByRole("menuitem", { name: "Delete" }).click();
        await page.getByRole("alertdialog").waitFor();
        await look("dashboard-delete");
        await page.getByRole("button", { name: "Keep it" }).click();
        await page.getByRole("button", { name: "Generate project" }).click();
        await page.getByRole("button", { name: "Generate", exact: true }).click();
        await page.getByText("Say in a sentence or two").waitFor();
        await look("dashboard-generate");
        await page.keyboard.press("Escape");

        const project = new ProjectPage(page);
        await project.open(projectId);
        await project.shows("The model provider is limiting requests.");
        await look("conversation-end");
        await page.getByRole("log", { name: "Messages" }).evaluate((box) => box.scrollTo(0, 0));
        await page
          .getByRole("button", { name: /tool calls/ })
          .first()
          .click();
        await page.getByRole("button", { name: /Newest/ }).waitFor();
        await look("conversation-begin");
        await page.getByRole("button", { name: "Conversation history" }).click();
        await page.getByRole("dialog").waitFor();
        await look("history");
        await page.keyboard.press("Escape");

        await view("Files");
        await project.tree.waitFor();
        if (narrow) await look("files");
        await page.getByRole("button", { name: "New file" }).click();
        await page.getByRole("button", { name: "Create" }).click();
        await page.getByText("A name is needed").waitFor();
        await look("new-file");
        await page.keyboard.press("Escape");
        await project.openFile("src/App.tsx");
        await eventually("line numbers beside their lines", () => page.evaluate(numbered));
        await look("editor");

        await page.goto(`/projects/${generated}?view=log`);
        await project.shows("Source structure: started");
        await page.getByRole("button", { name: /package.json/ }).click();
        await look("generation-log");

        await page.goto("/projects/nothing-here");
        await page.getByText("There is no such project").waitFor();
        await look("no-such-project");
        const value = await signLocalToken({ userId: `new-${theme}-${width}`, email: undefined });
        await page.context().addCookies([{ name: LOCAL_USER_COOKIE, value, url: lab.url }]);
        await page.goto("/");
        await page.getByText("Your first project").waitFor();
        await page.getByText("Local stand-ins in use").click();
        await look("dashboard-empty");
        await page.goto("/nowhere");
        await page.getByText("There is no such page").waitFor();
        await look("no-such-page");
        await page.goto(`${strangers.url}/`);
        await page.getByRole("button", { name: "Sign in" }).waitFor();
        await look("sign-in");
        await page.getByRole("button", { name: "Create one" }).click();
        await page.getByLabel("Email").fill("anna@example.com");
        await page.getByLabel("Password").fill("a long password");
        await page.getByRole("button", { name: "Create an account" }).click();
        // Next's announcer of routes is an alert, too.
        await page.getByRole("alert").filter({ hasText: "Something went wrong" }).waitFor();
        await look("sign-up-failed");

        assert.deepEqual(found, []);
      });
    }
  }

  it("of the control plane, by which both demo jobs are tried by hand", async () => {
    const { url } = lab.world.stack.admin("control-plane");
    const prompt = "What is a lighthouse for?";
    await lab.world.script(prompt, [{ text: "It shows ships the way." }]);
    const page = await lab.page({ allow: /400/ });
    const found: string[] = [];
    const look = async (what: string): Promise<void> => {
      await lab.screenshot(page, what);
      for (const problem of await problems(page)) found.push(`${what}: ${problem}`);
    };
    const run = async (task: string, payload: string): Promise<void> => {
      await page.goto(`${url}/#/test`);
      const form = page.locator("form").filter({ has: page.getByText(task, { exact: true }) });
      await form.getByRole("textbox").fill(payload);
      await form.getByRole("button", { name: "Run test" }).click();
    };
    await run("demo-generate", "{ prompt }");
    await page.getByRole("alert").filter({ hasText: /JSON/ }).waitFor();
    await look("run-test");
    await run("demo-generate", JSON.stringify({ prompt }));
    await page.getByText("It shows ships the way.").first().waitFor();
    await page
      .locator(".status", { hasText: /^Completed$/ })
      .first()
      .waitFor();
    await look("run-completed");
    await run("demo-error", "{}");
    await page.getByText("Trigger.dev error: Background job failed!").first().waitFor();
    await page
      .locator(".status", { hasText: /^Failed$/ })
      .first()
      .waitFor();
    await look("run-failed");
    assert.deepEqual(found, []);
  });
});

/** True once every line number that is shown is at the height of its line. In the page. */
function numbered(): true | undefined {
  const [numbers = [], lines = []] = [".cm-lineNumbers .cm-gutterElement", ".cm-line"].map((rows) =>
    [...document.querySelectorAll(rows)].map((row) => row.getBoundingClientRect().top),
  );
  // The first is invisible: it makes room for the widest number.
  numbers.shift();
  const isBeside =
    lines.length > 1 && lines.every((top, n) => Math.abs(top - (numbers[n] ?? 0)) < 1);
  return isBeside ? true : undefined;
}

/** A conversation with an answer of each kind. */
async function talkedAbout(lab: Lab): Promise<string> {
  const { world } = lab;
  const { projectId, conversationId } = await world.conversation("A page to look at");
  const key = { internalKey: world.internalKey };
  const ask = async (content: string) => {
    const { store } = world;
    const where = { ...key, projectId, conversationId };
    await store.mutation(api.system.createMessage, { ...where, role: "user", content });
    return await store.mutation(api.system.createMessage, {
      ...where,
      role: "assistant",
      content: "",
      status: "processing",
    });
  };
  const first = { ...key, messageId: await ask("What is this, and how does it work?") };
  await world.store.mutation(api.system.saveToolCalls, {
    ...first,
    toolCalls: [
      { id: "1", name: "getProjectStructure", args: {}, result: "src/App.tsx" },
      { id: "2", name: "readFile", args: { path: "src/App.tsx" }, result: "export {}" },
      { id: "3", name: "readFile", args: { path: "none.ts" }, result: "Error reading file: none" },
      { id: "4", name: "executeCommand", args: { command: "npm test" } },
    ],
  });
  await world.store.mutation(api.system.updateMessageContent, { ...first, content: MARKDOWN });
  const second = { ...key, messageId: await ask("Write a poem about it") };
  await world.store.mutation(api.system.cancelMessage, { ...second, content: "Roses are" });
  const third = { ...key, messageId: await ask("And one more") };
  await world.store.mutation(api.system.updateMessageContent, {
    ...third,
    content: "Violets are",
    status: "failed",
    error: { code: "MODEL_RATE_LIMITED", message: "429 from the provider" },
  });
  return projectId;
}

/** A project whose generation is in its second step. */
async function halfGenerated(lab: Lab): Promise<string> {
  const { world } = lab;
  const key = { internalKey: world.internalKey };
  const projectId = await world.store.mutation(api.system.createProject, {
    ...key,
    name: "A generated project",
    ownerId: "local-developer",
  });
  const lines = [
    { type: "step", message: "Starting generate-config-files" },
    {
      type: "file",
      message: "Wrote package.json",
      filePath: "package.json",
      preview: '{ "name": "generated" }',
    },
    { type: "error", message: "generate-config-files failed: the model was away" },
    { type: "step", message: "Completed generate-config-files" },
    { type: "step", message: "Starting generate-source-structure" },
  ] as const;
  for (const line of lines) {
    await world.store.mutation(api.system.appendGenerationEvent, { ...key, projectId, ...line });
  }
  return projectId;
}
