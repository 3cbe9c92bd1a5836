import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ConvexHttpClient } from "convex/browser";
import { api } from "../../app/convex/_generated/api.js";
import { DEMO_PROJECT } from "./demo-project.ts";
import { startStack } from "./index.ts";
import { realService, settingsFrom, settingsOf } from "./services.ts";

describe("the stack", () => {
  let state: string;
  before(async () => {
    state = await mkdtemp(join(tmpdir(), "polaris-stack-"));
  });
  after(() => rm(state, { recursive: true }));

  it("has the same URLs, keys and project after a restart", async () => {
    const first = await startStack({ state, cli: false });
    const { env, table, seeded } = first;
    await first.close();
    const second = await startStack({ state, cli: false });
    try {
      assert.deepEqual(second.env, env);
      assert.deepEqual(second.table, table);
      assert.deepEqual(second.seeded, seeded);
      assert.ok(table.every((row) => !row.real && row.url.startsWith("http://127.0.0.1:")));
      const convex = new ConvexHttpClient(env.CONVEX_URL ?? "");
      const structure = await convex.query(api.system.getProjectStructure, {
        internalKey: env.POLARIS_CONVEX_INTERNAL_KEY ?? "",
        projectId: seeded?.projectId ?? "",
      });
      assert.deepEqual(structure.files, Object.keys(DEMO_PROJECT).sort());
    } finally {
      await second.close();
    }
    await assert.rejects(fetch(env.CONVEX_URL ?? ""), "nothing listens any more");
  });

  it("turns to another model when its key is set, and back, and says so to the page", async () => {
    const stack = await startStack({ state, cli: false, only: ["convex", "model"] });
    const standIns = async () => {
      const text = await readFile(stack.appEnv.POLARIS_STAND_INS_FILE ?? "", "utf8");
      return (JSON.parse(text) as { service: string }[]).map(({ service }) => service);
    };
    try {
      const { CONVEX_URL, POLARIS_PRIMARY_BASE_URL: scripted = "" } = stack.env;
      assert.deepEqual(await standIns(), ["Convex", "Model", "Sign-in", "Billing"]);
      const real = settingsFrom({ POLARIS_PRIMARY_BASE_URL: "http://127.0.0.1:9/v1" });
      assert.equal(await stack.useModel(real), true);
      assert.equal(await stack.useModel(real), false, "nothing has changed since");
      assert.equal(stack.env.POLARIS_PRIMARY_BASE_URL, "http://127.0.0.1:9/v1");
      assert.equal(stack.env.CONVEX_URL, CONVEX_URL);
      assert.deepEqual(await standIns(), ["Convex", "Sign-in", "Billing"]);
      assert.ok(stack.table.some(({ service, real }) => service === "Model" && real));
      await assert.rejects(fetch(scripted), "the stand-in has ended");
      assert.equal(await stack.useModel({}), true);
      assert.equal(stack.env.POLARIS_PRIMARY_BASE_URL, scripted);
      assert.deepEqual(await standIns(), ["Convex", "Model", "Sign-in", "Billing"]);
      assert.ok((await fetch(scripted)).status < 500);
    } finally {
      await stack.close();
    }
  });

  it("brings a killed service back where it was", async () => {
    const stack = await startStack({ state, cli: false, only: ["convex"] });
    try {
      const { url, adminKey } = stack.admin("convex");
      await stack.kill("convex");
      await assert.rejects(fetch(url));
      await stack.start("convex");
      assert.deepEqual(stack.admin("convex"), { url, adminKey });
      assert.ok((await fetch(url)).status < 500);
    } finally {
      await stack.close();
    }
  });
});

describe("real services", () => {
  it("are used when their variable is set; an empty value counts as unset", () => {
    const settings = settingsFrom({
      OPENROUTER_API_KEY: "sk",
      SENTRY_DSN: "  ",
      NEXT_PUBLIC_CONVEX_URL: "",
      TRIGGER_SECRET_KEY: undefined,
    });
    assert.deepEqual(realService("model", settings), {
      because: "OPENROUTER_API_KEY",
      url: "https://openrouter.ai/api/v1",
    });
    for (const name of ["sentry", "convex", "control-plane"] as const) {
      assert.equal(realService(name, settings), undefined);
    }
    assert.deepEqual(settingsOf("model", settings), { OPENROUTER_API_KEY: "sk" });
  });

  it("say which other variable they need", () => {
    const settings = settingsFrom({ NEXT_PUBLIC_CONVEX_URL: "https://x.convex.cloud" });
    assert.throws(
      () => realService("convex", settings),
      /NEXT_PUBLIC_CONVEX_URL is set.*POLARIS_CONVEX_INTERNAL_KEY is not/,
    );
  });

  it("never show the key of a DSN", () => {
    const settings = settingsFrom({ SENTRY_DSN: "https://secret@o1.ingest.sentry.io/2" });
    assert.equal(realService("sentry", settings)?.url, "https://o1.ingest.sentry.io");
  });
});
