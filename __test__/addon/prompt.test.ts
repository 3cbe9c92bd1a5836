// The system prompt is a file of the package: what the model gets is that file, byte for byte, as it
// is when the run starts. The store is our Convex functions; the model is played.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { RunOptions } from "polaris-agent";
import { Services } from "../../app/src/server/fixtures/services.ts";
import { packageRoot, thisPlatform, tripleOf } from "../../npm/src/native.ts";
import { type ModelServer, startModelServer, useModel } from "./model-server.ts";

const services = new Services();
const folder = mkdtempSync(join(tmpdir(), "polaris-prompt-"));
const promptFile = join(folder, "prompts", "process-message.md");
let server: ModelServer;
let copy: typeof import("polaris-agent");

before(async () => {
  await services.start();
  server = await startModelServer((exchange) => exchange.text("ok").finish());
  useModel(server.url);
  // An installation of the package of its own, whose prompt a test may edit.
  for (const part of ["package.json", "npm/dist", "prompts"]) {
    cpSync(join(packageRoot, part), join(folder, part), { recursive: true });
  }
  const addon = join("npm", `polaris.${tripleOf(thisPlatform())}.node`);
  symlinkSync(join(packageRoot, addon), join(folder, addon));
  copy = createRequire(import.meta.url)(join(folder, "npm", "dist", "index.cjs"));
});

after(async () => {
  await server.close();
  await services.close();
  rmSync(folder, { recursive: true });
});

/** Answers one message and returns the system prompt that the model was sent. */
async function promptSent(options?: RunOptions): Promise<string | null | undefined> {
  const ids = await services.conversation();
  await services.mutation("createMessage", { ...ids, role: "user", content: "hello" });
  const messageId = await services.mutation<string>("createMessage", {
    ...ids,
    role: "assistant",
    content: "",
    status: "processing",
  });
  const run = copy.startRun({ job: "process-message", payload: { messageId }, options });
  assert.deepEqual((await run.result()).status, "completed");
  const [system] = server.exchanges.at(-1)?.request.messages ?? [];
  assert.equal(system?.role, "system");
  return system.content;
}

describe("the system prompt", () => {
  it("is the package's file, and editing the file changes the next run", async () => {
    assert.equal(await promptSent(), readFileSync(promptFile, "utf8"));
    const edited = "You are edited.\r\n\n  Spaces and “quotes” stay.  \n";
    writeFileSync(promptFile, edited);
    assert.equal(await promptSent(), edited);
  });

  it("is the one that the task file names, if it names one", async () => {
    assert.equal(await promptSent({ prompts: { system: { text: "Be brief." } } }), "Be brief.");
    const file = join(folder, "own.md");
    writeFileSync(file, "From another file.");
    assert.equal(await promptSent({ prompts: { system: { file } } }), "From another file.");
  });

  it("is the one that was built in where the package's file is gone", async () => {
    rmSync(promptFile);
    const original = readFileSync(join(packageRoot, "prompts", "process-message.md"), "utf8");
    assert.equal(await promptSent(), original);
  });
});
