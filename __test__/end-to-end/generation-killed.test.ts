// A generation whose processes are killed or frozen at every kind of moment, through the official CLI
// and SDK, held against one that nothing happens to. `npm run test:generation` takes every place between
// two steps, every step for two kills, and a freeze of a minute; `npm test` one of each, and no minute.

import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { GeneratedProject } from "../../trigger/tasks/generate-project.ts";
import { Workers } from "../crash/workers.ts";
import { Generation, generations, REPAIR, STEPS } from "./fixtures/generation.ts";
import { eventually } from "./fixtures/servers.ts";
import { World } from "./fixtures/world.ts";

const IS_WHOLE = process.env.GENERATION_WHOLE === "1";
/** How long the waiting parent stands still, at least. */
const FROZEN_MS = IS_WHOLE ? 60_000 : 0;
/** Slow enough to meet a step while it streams. */
const PACE_TOKENS_PER_SECOND = 150;
/** About 40 s: only a kill ends it early. */
const ENDLESS = [{ text: "Let me think about this. ".repeat(640), deltasPerSecond: 100 }];
const SOME_DELTAS = 20;
/** The last step, slow enough to be killed. */
const LOOK_AND_TALK = [
  { toolCalls: [{ name: "listFiles", args: {} }] },
  { text: "All of it is there. ".repeat(12), deltasPerSecond: 40 },
];

/** What a person adds meanwhile: one path that is wrong, and one file that is missing. */
const MINE = 'import { missing } from "./missing";\nimport * as format from "./util/format";\n';
const MISSING = { path: "src/missing.ts", content: "export const missing = 1;\n" };
/** The extra step, slow enough to be killed before it keeps anything. */
const WRITE_AND_TALK = [
  { toolCalls: [{ name: "writeFile", args: MISSING }] },
  { text: "Now it is there. ".repeat(12), deltasPerSecond: 40 },
];

let world: World;
let workers: Workers;
/** Nothing happens to it; it runs beside the first of the others. */
let whole: Generation;

before(async () => {
  const state = await mkdtemp(join(tmpdir(), "polaris-killed-"));
  workers = new Workers(join(state, "announced-runs"));
  const announce = join(import.meta.dirname, "../crash/announce.cjs");
  world = await World.start("killed", {
    state,
    pace: PACE_TOKENS_PER_SECOND,
    env: {
      POLARIS_CRASH_ANNOUNCEMENTS: workers.file,
      NODE_OPTIONS: `--require=${announce}`,
    },
  });
  delete process.env.NODE_OPTIONS;
  whole = await Generation.start(world, "An agency and its clients");
});
after(() => world?.close());

/** Waits until the process of a run was there to be killed, and kills it. */
async function killProcessOf(runId: string): Promise<void> {
  await eventually(`the process of ${runId} is killed`, () => workers.kill(runId) || undefined);
}

/** How often the model was asked for each step where nothing happened. */
async function undisturbed(): Promise<Awaited<ReturnType<Generation["asked"]>>> {
  await whole.completed();
  return await whole.asked();
}

/** Every step asked the model as often as in the generation that nothing happened to. */
async function assertNotAskedAgain(generation: Generation): Promise<void> {
  assert.deepEqual(await generation.asked(), await undisturbed());
}

describe("a generation whose processes are killed", () => {
  it("inside each step, the extra one too, does that step again, and no other", async () => {
    const script = { "verify-project": LOOK_AND_TALK, [REPAIR]: WRITE_AND_TALK };
    const about = "Kill every step once";
    const generation = await Generation.start(world, about, script, { verify: "repair" });
    for (const step of [...STEPS, REPAIR] as const) {
      const { id } = await generation.child(step);
      await generation.streams(step);
      if (step === "verify-project") await generation.save("src/mine.ts", MINE);
      await killProcessOf(id);
    }
    await generation.completed();
    const mine = MINE.replace("./util/format", "./utils/format");
    await generation.assertFiles({ "src/mine.ts": mine, [MISSING.path]: MISSING.content });
    const children = await generation.children();
    assert.deepEqual(
      children.map(({ payload }) => (payload as { step: string }).step),
      [...STEPS, REPAIR],
    );
    for (const { id } of children) assert.equal(await generation.attempts(id), 2);
    assert.equal(await generation.attempts(), 1, "the parent waited");
    const [asked, expected] = [await generation.asked(), await undisturbed()];
    for (const step of STEPS) {
      const most = 2 * (expected[step] ?? 0);
      assert.ok((asked[step] ?? 0) <= most, `${step} was asked ${asked[step]} times`);
    }
    const { steps, repair, inspection } = (await generation.run()).output as GeneratedProject;
    assert.deepEqual([steps.length, inspection?.count], [STEPS.length, 0]);
    // The killed attempt had kept what needed no model; the second one found the rest.
    const { runId = "", before, after, rounds } = repair ?? {};
    assert.deepEqual([runId, before, after, rounds], [children.at(-1)?.id, 1, 0, 1]);
    const lines = await generation.lines();
    const fixed = 'info Repair: src/mine.ts: "./util/format" became "./utils/format"';
    assert.equal(lines.filter((line) => line === fixed).length, 1);
    assert.equal(lines.at(-1), "info Inspection: no problems found");
  });

  // A run may be killed once: so each place between two steps needs a generation of its own.
  for (const boundary of IS_WHOLE ? STEPS.slice(0, -1) : STEPS.slice(0, 1)) {
    it(`between two steps, behind ${boundary}, goes on behind the last finished one`, async () => {
      const generation = await Generation.start(world, "Kill the parent");
      const { id } = await generation.child(boundary);
      await world.runs.until("finished", id);
      await killProcessOf(generation.runId);
      await generation.completed();
      await generation.assertFiles();
      await assertNotAskedAgain(generation);
      assert.equal(await generation.attempts(), 2);
      const children = await generation.children();
      assert.equal(children.length, STEPS.length);
      for (const child of children) assert.equal(await generation.attempts(child.id), 1);
    });
  }

  it("or frozen, as the waiting parent, its sockets cut, goes on when it thaws", async () => {
    const generation = await Generation.start(world, "Freeze the parent");
    const { id } = await generation.child("generate-components");
    await generation.streams("generate-components");
    const pid = workers.pidOf(generation.runId) ?? assert.fail("no process of the parent");
    assert.ok(workers.freeze(generation.runId));
    const frozen = performance.now();
    try {
      await world.runs.until("finished", id);
      await world.runs.until("resumed", generation.runId, 3);
      // Every connection of the frozen process ends meanwhile, without it hearing of that.
      await world.stack.restart("control-plane");
      await world.stack.restart("convex");
      await eventually(
        `${FROZEN_MS} ms have passed`,
        () => performance.now() - frozen >= FROZEN_MS || undefined,
        2 * FROZEN_MS,
      );
    } finally {
      workers.thaw(pid);
    }
    await generation.completed();
    await generation.assertFiles();
    await assertNotAskedAgain(generation);
    assert.equal(await generation.attempts(), 1);
  });

  it("twice between steps ends; asked for again it goes on", { skip: !IS_WHOLE }, async () => {
    const generation = await Generation.start(world, "Kill the parent twice");
    const { runId, projectId, description, generationId } = generation;
    const killed = ["generate-config-files", "generate-components"] as const;
    for (const [index, step] of killed.entries()) {
      await world.runs.until("attempt started", runId, index + 1);
      const { id } = await generation.child(step);
      await world.runs.until("finished", id);
      await killProcessOf(runId);
      await world.runs.until("attempt ended", runId, index + 1);
    }
    assert.notEqual(await generation.ended(), "COMPLETED_SUCCESSFULLY");
    const again = await generations.generate({ projectId, description, generationId });
    assert.notEqual(again.runId, runId);
    const { data } = await world.runs.until("finished", again.runId, 1, 180_000);
    assert.equal(data.status, "COMPLETED_SUCCESSFULLY");
    await generation.assertFiles();
    const [asked, expected] = [await generation.asked(), await undisturbed()];
    for (const step of STEPS.slice(0, 3)) assert.equal(asked[step], expected[step], step);
  });

  for (const step of IS_WHOLE ? STEPS : STEPS.slice(1, 2)) {
    it(`twice in one step, ${step}, ends as failed, with its reason`, async (t) => {
      const generation = await Generation.start(world, "Kill a step twice", { [step]: ENDLESS });
      const { id } = await generation.child(step);
      for (const attempt of [1, 2]) {
        await world.runs.until("attempt started", id, attempt);
        await generation.streams(step, SOME_DELTAS);
        await killProcessOf(id);
        await world.runs.until("attempt ended", id, attempt);
      }
      assert.notEqual(await generation.ended(), "COMPLETED_SUCCESSFULLY");
      const last = (await generation.lines()).at(-1) ?? "";
      t.diagnostic(last);
      assert.ok(last.startsWith(`error Generation failed: ${step}: `) && !last.endsWith(": "));
      const { error } = await generation.run();
      assert.ok(error?.message?.includes(step), error?.message);
      const begun = (await generation.children()).map(({ payload }) => payload?.step);
      assert.deepEqual(begun, STEPS.slice(0, STEPS.indexOf(step) + 1));
    });
  }
});
