// What the store does for generations: the check that one schedules itself, and files that become
// visible together. The check runs on convex-test, which lets a test call it and look at its timers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { convexTest } from "convex-test";
import { letFarTimersGo } from "../../__test__/far-timers.ts";
import { api, internal } from "../../app/convex/_generated/api.js";
import { tells } from "../../app/convex/model/generation.ts";
import {
  BEGINNING,
  LOST,
  look,
  QUIET_BETWEEN_STEPS_MS,
  QUIET_INSIDE_STEP_MS,
} from "../../app/convex/model/silence.ts";
import schema from "../../app/convex/schema.ts";
import { startConvex } from "./index.ts";
import { errorCode } from "./testing/harness.ts";
import { World } from "./testing/world.ts";

const { system } = api;

test("a generation is looked at by its log", () => {
  const line = (createdAt: number, type: "step" | "info" | "error" | "file", message: string) => ({
    createdAt,
    type,
    message,
  });
  const begun = line(1_000, "step", BEGINNING);
  const between = [begun, line(2_000, "step", "Completed generate-pages")];
  const inside = [...between, line(3_000, "step", "Starting generate-hooks")];
  const writing = [...inside, line(4_000, "file", "Wrote a"), line(3_500, "info", "…")];
  const soon = 5_000;
  assert.deepEqual(look([], 1_000, soon), { lookAgainInMs: QUIET_BETWEEN_STEPS_MS - 4_000 });
  assert.deepEqual(look(between, 1_000, soon), { lookAgainInMs: QUIET_BETWEEN_STEPS_MS - 3_000 });
  assert.deepEqual(look(inside, 1_000, soon), { lookAgainInMs: QUIET_INSIDE_STEP_MS - 2_000 });
  assert.deepEqual(look(writing, 1_000, soon), { lookAgainInMs: QUIET_INSIDE_STEP_MS - 1_000 });
  assert.equal(look(between, 1_000, 2_000 + QUIET_BETWEEN_STEPS_MS), "lost");
  assert.notEqual(look(inside, 1_000, 3_000 + QUIET_BETWEEN_STEPS_MS), "lost");
  assert.equal(look(writing, 1_000, 4_000 + QUIET_INSIDE_STEP_MS), "lost");
  const late = 1e12;
  for (const end of [
    line(9_000, "step", "Completed verify-project"),
    line(9_000, "info", "Generation cancelled"),
    line(9_000, "error", "Generation failed: generate-hooks: …"),
    line(9_000, "error", "Validation failed: description is required"),
    line(9_000, "error", LOST),
    line(9_000, "step", BEGINNING),
  ]) {
    assert.equal(look([...writing, end], 1_000, late), "over", end.message);
    assert.equal(look([end], 9_000, late), "lost", "of an earlier generation");
  }
  assert.equal(look([line(9_000, "error", "generate-hooks failed: x")], 1_000, late), "lost");
  // One more step may follow the ninth.
  const done = [begun, line(2_000, "step", "Completed verify-project"), line(3_000, "info", "…")];
  const again = { lookAgainInMs: QUIET_BETWEEN_STEPS_MS - 2_000 };
  assert.deepEqual(look(done, 1_000, soon), again);
  const repairing = [...done, line(4_000, "step", "Starting repair-project")];
  assert.equal(look(repairing, 1_000, late), "lost");
  assert.equal(
    look([...repairing, line(6_000, "step", "Completed repair-project")], 1_000, late),
    "over",
  );
});

test("the extra step is told as the ninth's companion", () => {
  const told = (message: string) => tells({ type: "step", message });
  const running = { status: "running", step: 9, of: 9, label: "Repair" };
  assert.deepEqual(told("Starting repair-project"), running);
  assert.equal(told("Completed repair-project")?.status, "completed");
});

test("the check that a generation schedules itself", async (t) => {
  letFarTimersGo();
  process.env.POLARIS_CONVEX_INTERNAL_KEY = "k";
  const key = { internalKey: "k" };
  const backend = convexTest({
    schema,
    modules: {
      "./app/convex/_generated/api.js": () => import("../../app/convex/_generated/api.js"),
      "./app/convex/generations.ts": () => import("../../app/convex/generations.ts"),
      "./app/convex/system.ts": () => import("../../app/convex/system.ts"),
    },
  });
  const project = () => backend.mutation(system.createProject, { ...key, name: "p", ownerId: "o" });
  const scheduled = (projectId: string) =>
    backend.run(async (ctx) =>
      (await ctx.db.system.query("_scheduled_functions").collect()).filter(
        ({ args }) => args[0]?.projectId === projectId,
      ),
    );
  const log = (projectId: string) =>
    backend.run(async (ctx) =>
      (await ctx.db.query("generationEvents").collect())
        .filter((line) => line.projectId === projectId)
        .map(({ type, message }) => `${type} ${message}`),
    );
  const long = 2 * QUIET_INSIDE_STEP_MS;

  await t.test("finds one whose parent is dead, and says so once", async () => {
    const projectId = await project();
    const createdAt = Date.now() - long;
    await backend.mutation(system.beginGeneration, { ...key, projectId, createdAt });
    await backend.mutation(system.beginGeneration, { ...key, projectId, createdAt });
    const checks = await scheduled(projectId);
    assert.ok(checks.length > 0);
    for (const { args } of checks) {
      assert.deepEqual(args, [{ projectId, since: createdAt }]);
      await backend.mutation(internal.generations.check, { projectId, since: createdAt });
    }
    assert.deepEqual(await log(projectId), [`step ${BEGINNING}`, `error ${LOST}`]);
    assert.equal((await scheduled(projectId)).length, checks.length, "it is not looked at again");
  });

  await t.test("leaves one that lives alone, and looks again", async () => {
    const projectId = await project();
    const createdAt = Date.now() - long;
    await backend.mutation(system.beginGeneration, { ...key, projectId, createdAt });
    const message = "Starting generate-pages";
    const line = { ...key, projectId, type: "step" as const, message, createdAt: Date.now() };
    await backend.mutation(system.appendGenerationEvent, line);
    const before = (await scheduled(projectId)).length;
    await backend.mutation(internal.generations.check, { projectId, since: createdAt });
    assert.equal((await scheduled(projectId)).length, before + 1);
    assert.deepEqual(await log(projectId), [`step ${BEGINNING}`, `step ${message}`]);
  });

  await t.test("leaves a project alone that is gone", async () => {
    const projectId = await project();
    await backend.run(async (ctx) => await ctx.db.delete(projectId));
    await backend.mutation(internal.generations.check, { projectId, since: 0 });
    assert.deepEqual(await log(projectId), []);
  });
});

test("files that are committed together", async (t) => {
  const convex = await startConvex();
  t.after(() => convex.close());
  const { client, key } = new World(convex);
  const projectId = await client.mutation(system.createProject, {
    ...key,
    name: "p",
    ownerId: "o",
  });
  const at = { ...key, projectId };
  const write = (path: string, content: string, createdAt: number) => ({
    path,
    content,
    message: `Wrote ${path}`,
    preview: content.slice(0, 500),
    createdAt,
  });
  const remove = (path: string, createdAt: number) => ({
    path,
    message: `Deleted ${path}`,
    createdAt,
  });
  const files = async () =>
    (await client.query(system.getAllProjectFiles, at))
      .filter(({ type }) => type === "file")
      .map(({ path, content }) => `${path}=${content}`)
      .sort();

  await t.test("are all there, in their order, and once", async () => {
    const changes = [
      write("src/a.ts", "A", 1),
      write("src/b.ts", "B", 2),
      remove("src/a.ts", 3),
      write("src/b.ts", "B2", 4),
      remove("nowhere.ts", 5),
    ];
    await client.mutation(system.commitFiles, { ...at, changes });
    await client.mutation(system.commitFiles, { ...at, changes });
    assert.deepEqual(await files(), ["src/b.ts=B2"]);
    const log = (await convexTable(convex, "generationEvents")).map(({ message }) => message);
    assert.deepEqual(
      log,
      changes.map(({ message }) => message),
    );
  });

  await t.test("or none of them is, and no folder and no line of the log either", async () => {
    const before = await client.query(system.getAllProjectFiles, at);
    const changes = [write("new/c.ts", "C", 6), write("src", "a folder", 7)];
    const commit = client.mutation(system.commitFiles, { ...at, changes });
    assert.equal(await errorCode(commit), "IS_A_FOLDER");
    assert.deepEqual(await client.query(system.getAllProjectFiles, at), before);
    assert.equal((await convexTable(convex, "generationEvents")).length, 5);
  });

  await t.test("need a project", async () => {
    const gone = client.mutation(system.commitFiles, { ...key, projectId: "none", changes: [] });
    assert.equal(await errorCode(gone), "PROJECT_NOT_FOUND");
    const begin = client.mutation(system.beginGeneration, { ...key, projectId: "x", createdAt: 1 });
    assert.equal(await errorCode(begin), "PROJECT_NOT_FOUND");
  });
});

async function convexTable(
  convex: { url: string; adminKey: string },
  table: string,
): Promise<{ message: string }[]> {
  const headers = { "x-polaris-admin": convex.adminKey };
  const response = await fetch(`${convex.url}/admin/tables?table=${table}`, { headers });
  return (await response.json()) as { message: string }[];
}
