// What must not happen on a page: somebody else's data, a script of the model's, a person's work
// written over, a browser that hangs on a large project.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { api } from "../../app/convex/_generated/api.js";
import { LOCAL_USER_COOKIE, signLocalToken } from "../../app/src/auth/local.ts";
import { eventually } from "../end-to-end/fixtures/servers.ts";
import { Lab, NO_BROWSER } from "./fixtures/lab.ts";
import { ProjectPage } from "./fixtures/project-page.ts";

const ATTACKS = [
  "<script>window.attacked = 1</script>",
  '<img src=x onerror="window.attacked = 2">',
  '<a href="javascript:window.attacked = 3">click</a>',
  "[click](javascript:window.attacked=4)",
  "![](https://example.invalid/leak.png)",
  '<iframe srcdoc="<script>parent.attacked = 5</script>"></iframe>',
  "[ref]: javascript:window.attacked=6",
];
const EVIL_NAME = '<img src=x onerror="window.attacked = 7">.ts';
const FOLDERS = 40;
const FILES_EACH = 250;
/** Of ten thousand; the rest is not in the page. */
const MAX_ROWS = 120;

describe("a page is safe", { skip: NO_BROWSER }, () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.start("safety");
    Object.assign(process.env, lab.world.stack.appEnv);
  });
  after(() => lab?.close());
  afterEach(() => lab.tidy());

  const write = async (projectId: string, path: string, content: string): Promise<void> => {
    const { world } = lab;
    const { internalKey } = world;
    await world.store.mutation(api.system.writeFileByPath, {
      internalKey,
      projectId,
      path,
      content,
    });
  };

  it("from other users", async () => {
    await lab.world.script("A secret of the first", [{ text: "It stays between us." }]);
    const first = await lab.project("Mine alone");
    await first.say("A secret of the first");
    await first.answered("completed");

    const page = await lab.page({ allow: /PROJECT_NOT_FOUND|Project not found|404/ });
    const value = await signLocalToken({ userId: "somebody-else", email: "else@example.com" });
    await page.context().addCookies([{ name: LOCAL_USER_COOKIE, value, url: lab.url }]);
    await page.goto("/");
    await page.getByText("Your first project").waitFor();
    await page.goto(`/projects/${first.projectId}`);
    await page.getByText("There is no such project").waitFor();
    await lab.screenshot(page, "somebody-elses-project");
    const [answer] = (
      await lab.world.convex.table<{ _id: string; role: string; projectId: string }>("messages")
    ).filter(({ role, projectId }) => role === "assistant" && projectId === first.projectId);
    const statuses = await page.evaluate(
      async (asked) =>
        await Promise.all(
          asked.map(async ([method, body]) => {
            const headers = { "content-type": "application/json" };
            return (await fetch("/api/messages", { method, headers, body })).status;
          }),
        ),
      [
        ["DELETE", JSON.stringify({ messageId: answer?._id })],
        ["POST", JSON.stringify({ conversationId: first.conversationId, message: "Let me in" })],
      ] as const,
    );
    assert.deepEqual(statuses, [404, 404]);
  });

  it("from what the model writes, and from names", async () => {
    const requested: string[] = [];
    await lab.world.script("Attack me", [
      {
        text: `Before.\n\n${ATTACKS[0]}\n\n`,
        toolCalls: [
          { name: "writeFile", args: { path: EVIL_NAME, content: ATTACKS.join("\n") } },
          { name: "readFile", args: { path: ATTACKS[1] } },
        ],
      },
      { text: `${ATTACKS.join("\n\n")}\n\nAfter.` },
    ]);
    const project = await lab.project(`Named ${ATTACKS[1]}`);
    const { page } = project;
    page.on("request", (request) => requested.push(request.url()));
    await project.say("Attack me");
    const answer = await project.answered("completed");
    await answer.getByText("After.").waitFor();
    // All of it is opened and looked at: calls, the file, the history.
    for (const call of await answer.getByRole("listitem").getByRole("button").all()) {
      await call.click();
    }
    await project.tree.getByRole("treeitem", { name: EVIL_NAME }).click();
    await project.editor.waitFor();
    await page.getByRole("button", { name: "Conversation history" }).click();
    await page.getByRole("dialog").waitFor();
    await lab.screenshot(page, "an-attack-is-text");
    await page.keyboard.press("Escape");
    for (const link of await answer.getByText("click", { exact: true }).all()) await link.click();

    const attacked = await page.evaluate(() => Reflect.get(window, "attacked"));
    assert.equal(attacked, undefined);
    const inside = await answer.locator("script, iframe, img, object, embed").count();
    assert.equal(inside, 0);
    const outside = requested.filter((url) => !/^http:\/\/(localhost|127\.0\.0\.1)[:/]/.test(url));
    assert.deepEqual(outside, [], "no other server was asked");
  });

  it("for what a person types while the agent writes the same file", async () => {
    const project = await lab.project("Both write");
    const { page, projectId } = project;
    await project.openFile("src/App.tsx");

    // Somebody who only reads sees what is written, as it happens.
    await write(projectId, "src/App.tsx", "// first of the agent\n");
    await eventually("the agent's text in the editor", async () =>
      (await project.editorText()).includes("first of the agent") ? true : undefined,
    );

    // Somebody who types keeps their text. Their save is held back until the agent has written.
    await project.editor.click();
    await page.keyboard.press("ControlOrMeta+End");
    await page.keyboard.type("// mine");
    await write(projectId, "src/App.tsx", "// second of the agent\n");
    await page.getByText(/while you were editing it|after you saved it/).waitFor();
    const notice = page.getByRole("alert").filter({ hasText: "Polaris wrote this file" });
    await lab.screenshot(page, "both-wrote-a-file");
    const kept = notice.getByRole("button", { name: "Keep mine" });
    if ((await kept.count()) > 0) await kept.click();
    else await notice.getByRole("button", { name: "Bring mine back" }).click();
    await page.keyboard.press("ControlOrMeta+s");
    const saved = await eventually("the person's text in the store", async () => {
      const files = await lab.world.store.query(api.system.getAllProjectFiles, {
        internalKey: lab.world.internalKey,
        projectId,
      });
      const content = files.find(({ path }) => path === "src/App.tsx")?.content;
      return content?.includes("// mine") ? content : undefined;
    });
    assert.ok(!saved.includes("second of the agent"), "the person's save has won");
    assert.ok((await project.editorText()).includes("// mine"));
  });

  it("for what a person writes while the project is generated", async () => {
    const page = await lab.page();
    await page.goto("/");
    await page.getByRole("button", { name: "Generate project" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("What shall it be?").fill("A recipe book with ratings and cooks");
    await dialog.getByRole("button", { name: "Generate" }).click();
    await page.getByText("Configuration: started").waitFor();
    // The name comes from what was described.
    await page.getByRole("button", { name: "Recipe book", exact: true }).waitFor();

    // A file that the generation writes in its eighth step.
    await page.getByRole("button", { name: "Code", exact: true }).click();
    await page.getByRole("button", { name: "New file" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("README.md");
    await page.getByRole("button", { name: "Create" }).click();
    const project = new ProjectPage(page);
    await project.openFile("README.md");
    await project.editor.click();
    await page.keyboard.type("# Mine alone");
    await page.keyboard.press("ControlOrMeta+s");
    await page.getByText("Saved", { exact: true }).waitFor();

    await page.getByRole("button", { name: /^Generation log/ }).click();
    await page.getByText("The project is ready.").waitFor();
    await lab.screenshot(page, "a-file-of-mine-in-a-generation");
    await page.getByRole("button", { name: "Show the files" }).click();
    await page.getByRole("treeitem", { name: "vite.config.ts" }).waitFor();
    assert.equal(await project.editorText(), "# Mine alone");
    const files = await lab.world.store.query(api.system.getAllProjectFiles, {
      internalKey: lab.world.internalKey,
      projectId: /projects\/([^/?]+)/.exec(page.url())?.[1] ?? "",
    });
    assert.equal(files.find(({ path }) => path === "README.md")?.content, "# Mine alone");
  });

  it("with ten thousand files", async () => {
    const { projectId } = await lab.world.conversation("Ten thousand files");
    // The local host writes one file at a time, and looks at its whole folder each time.
    await Promise.all(
      Array.from({ length: FOLDERS }, async (_, folder) => {
        for (let n = 0; n < FILES_EACH; n++) await write(projectId, `f${folder}/file-${n}.ts`, "x");
      }),
    );
    const folders = (
      await lab.world.convex.table<{ _id: string; projectId: string; type: string }>("files")
    ).filter((row) => row.projectId === projectId && row.type === "folder");
    const page = await lab.page();
    // All folders were open when the page was left.
    await page.addInitScript(([key, value]) => localStorage.setItem(key, value), [
      `polaris:folders:${projectId}`,
      JSON.stringify(folders.map(({ _id }) => _id)),
    ] as const);
    const project = new ProjectPage(page);
    await project.open(projectId);
    const height = () => project.tree.evaluate((tree) => tree.scrollHeight);
    await eventually("all rows in the tree", async () =>
      (await height()) > FOLDERS * FILES_EACH * 20 ? true : undefined,
    );
    const rows = () => project.tree.getByRole("treeitem").count();
    assert.ok((await rows()) < MAX_ROWS, `${await rows()} rows are in the page`);

    await project.tree.focus();
    await page.keyboard.press("Home");
    await page.keyboard.type(`f${FOLDERS - 1}`);
    const bottom = project.tree.getByRole("treeitem", { name: `f${FOLDERS - 1}`, exact: true });
    await bottom.waitFor();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await project.editor.waitFor();
    assert.ok((await rows()) < MAX_ROWS);
    await lab.screenshot(page, "ten-thousand-files");
  });
});
