// The production build of the app: what is in it, what is not, and that it starts and ends with a stack.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ensureBuild } from "../../local/app/build.ts";
import { APP_FOLDER, BUILD_FOLDER } from "../../local/app/index.ts";
import { type Stack, startStack } from "../../local/stack/index.ts";

const SERVER = join(BUILD_FOLDER, "server");
const STATIC = join(BUILD_FOLDER, "static");

/** Of the addon and of its package; a route that bundled either would name it. */
const ADDON = ["polaris.linux", "polaris.darwin", "polaris.win32", "polaris-agent", "nextBatch"];
const SECRETS = [
  "POLARIS_CONVEX_INTERNAL_KEY",
  "POLARIS_LOCAL_AUTH_KEY",
  "TRIGGER_SECRET_KEY",
  "STACK_SECRET_SERVER_KEY",
  "AUTUMN_SECRET_KEY",
];

async function textsOf(folder: string): Promise<[path: string, text: string][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter(
    (entry) => entry.isFile() && /\.(js|mjs|json|css|html|rsc)$/.test(entry.name),
  );
  return await Promise.all(
    files.map(async ({ parentPath, name }): Promise<[string, string]> => {
      const path = join(parentPath, name);
      return [path, await readFile(path, "utf8")];
    }),
  );
}

before(() => ensureBuild((line) => process.stderr.write(`polaris: ${line}\n`)));

describe("the production build", () => {
  it("has neither the addon nor its package in it", async () => {
    const server = await textsOf(SERVER);
    assert.ok(
      server.some(([, text]) => text.includes("process-message")),
      "the routes are among what was looked at",
    );
    for (const [path, text] of [...server, ...(await textsOf(STATIC))]) {
      for (const name of ADDON) assert.ok(!text.includes(name), `${name} in ${path}`);
      assert.ok(!/require\([^)]*\.node["'`]\)/.test(text), `a native module in ${path}`);
    }
  });

  it("sends no page the name of a secret", async () => {
    const pages = await textsOf(STATIC);
    assert.ok(pages.length > 0);
    for (const [path, text] of pages) {
      for (const name of SECRETS) assert.ok(!text.includes(name), `${name} in ${path}`);
    }
  });

  it("asks nobody outside for fonts or scripts", async () => {
    for (const [path, text] of await textsOf(STATIC)) {
      if (!/\.(css|html)$/.test(path)) continue;
      assert.ok(!/(?:url\(|src=|href=)["']?https?:/.test(text), path);
    }
  });
});

describe("the sources of the app", () => {
  it("import the tasks as types only, and the addon not at all", async () => {
    const entries = await readdir(join(APP_FOLDER, "src"), {
      recursive: true,
      withFileTypes: true,
    });
    for (const { parentPath, name } of entries.filter((entry) => /\.tsx?$/.test(entry.name))) {
      const text = await readFile(join(parentPath, name), "utf8");
      for (const [statement] of text.matchAll(/^import[^;]*?from "[^"]+";/gms)) {
        const isTask = /from "[^"]*\/trigger\//.test(statement);
        const isTypes = statement.startsWith("import type");
        assert.ok(!isTask || isTypes, `${name}: ${statement}`);
        assert.ok(!/from "polaris-agent/.test(statement) || isTypes, `${name}: ${statement}`);
      }
    }
  });
});

describe("the app of a stack", () => {
  let state: string;
  let stack: Stack;
  before(async () => {
    state = await mkdtemp(join(tmpdir(), "polaris-app-"));
    stack = await startStack({ state, cli: false, app: "production", only: ["convex"] });
  });
  after(async () => {
    await stack?.close();
    await rm(state, { recursive: true, force: true });
  });

  const page = (path: string, init?: RequestInit) =>
    fetch(`http://127.0.0.1:${stack.app?.port}${path}`, init);

  it("shows a page with the developer of this machine, who has no job to try", async () => {
    const home = await page("/");
    assert.equal(home.status, 200);
    assert.match(await home.text(), /Polaris/);
    const { user } = (await (await page("/api/auth/token")).json()) as { user: { id: string } };
    assert.equal(user.id, "local-developer");
    const demo = await page("/api/demo/error", { method: "POST", body: "{}" });
    assert.equal(demo.status, 404);
    const { service, url } = stack.table.at(-1) ?? {};
    assert.deepEqual([service, url], ["App", `http://localhost:${stack.app?.port}`]);
  });

  it("refuses a body of 10 MB in words, and goes on", async () => {
    const body = JSON.stringify({ conversationId: "x", message: "y".repeat(10 * 1024 * 1024) });
    const headers = { "content-type": "application/json" };
    const answer = await page("/api/messages", { method: "POST", headers, body });
    assert.equal(answer.status, 400);
    const { error } = (await answer.json()) as { error: string };
    assert.match(error, /larger than 1048576 bytes/);
    assert.equal((await page("/")).status, 200);
  });

  it("comes back where it was", async () => {
    const port = stack.app?.port;
    await stack.kill("app");
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
    await stack.start("app");
    assert.equal(stack.app?.port, port);
    assert.equal((await page("/")).status, 200);
  });

  it("ends with the stack", async () => {
    const { app } = stack;
    await stack.close();
    assert.ok(app !== undefined);
    await app.exited;
    await assert.rejects(fetch(`http://127.0.0.1:${app.port}/`));
  });
});
