// What is loaded: also from a project without generated files. What a deployment would refuse is refused
// here too, before anything is served.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { loadDeployment } from "./modules.ts";

test("a file whose name no deployment takes", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "polaris-modules-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "good_name.v1.test.ts"), "export const skipped = 1;");
  await writeFile(join(folder, "two-words.ts"), "export const value = 1;");
  await assert.rejects(
    loadDeployment(folder, join(folder, "..", "never-made")),
    /two-words\.js is not a valid path to a Convex module\. Path component two-words\.js can only/,
  );
});

test("a project whose generated files are not there", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "polaris-modules-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(
    join(folder, "items.ts"),
    `import { api, internal } from "./_generated/api";
     import { internalMutation, query } from "./_generated/server.js";
     export const get = query({ args: {}, handler: async () => [api, internal].length });
     export const drop = internalMutation({ args: {}, handler: async () => null });`,
  );
  const { functions } = await loadDeployment(folder, join(folder, "..", `${basename(folder)}-out`));
  t.after(() => rm(`${folder}-out`, { recursive: true }));
  assert.deepEqual([...functions.keys()].sort(), ["items:drop", "items:get"]);
});
