// A project generated in nine durable steps, through the official CLI and SDK: the steps and their
// order, kills at every kind of moment, cancels, and what is refused. The model is the scripted
// persona, which writes the same project again for the same description.

import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { idempotencyKeys } from "@trigger.dev/sdk";
import { api } from "../../app/convex/_generated/api.js";
import { leakedSecrets } from "../../local/commands/demo/error.ts";
import type { GeneratedProject, generateProject } from "../../trigger/tasks/generate-project.ts";
import { Workers } from "../crash/workers.ts";
import {
  emptyProject,
  Generation,
  generations,
  type LogLine,
  STEPS,
  type StepId,
  shippedPrompts,
} from "./fixtures/generation.ts";
import { LosingProxy } from "./fixtures/losing-proxy.ts";
import { eventually } from "./fixtures/servers.ts";
import { World } from "./fixtures/world.ts";

/** Slow enough to meet a step while it streams. */
const PACE_TOKENS_PER_SECOND = 150;
/** About 40 s: only a cancel or a kill ends it early. */
const ENDLESS = [{ text: "Let me think about this. ".repeat(640), deltasPerSecond: 100 }];
const SOME_DELTAS = 20;
/** Longer than the rest of a case takes. */
const HELD_MS = 5_000;
/** The last step, slow enough to be killed. */
const LOOK_AND_TALK = [
  { toolCalls: [{ name: "listFiles", args: {} }] },
  { text: "All of it is there. ".repeat(12), deltasPerSecond: 40 },
];

let world: World;
let workers: Workers;
let whole: Generation;

before(async () => {
  const state = await mkdtemp(join(tmpdir(), "polaris-generation-"));
  workers = new Workers(join(state, "announced-runs"));
  const announce = join(import.meta.dirname, "../crash/announce.cjs");
  world = await World.start("generation", {
    state,
    pace: PACE_TOKENS_PER_SECOND,
    env: {
      POLARIS_CRASH_ANNOUNCEMENTS: workers.file,
      NODE_OPTIONS: `--require=${announce}`,
    },
  });
  delete process.env.NODE_OPTIONS;
  whole = await Generation.start(world, "An agency and its clients");
  await whole.completed();
});
after(() => world?.close());

/** Where the parent is killed: behind one step, by the seed; behind each, if all are asked for. */
function boundaries(): StepId[] {
  const all = STEPS.slice(0, -1);
  const { POLARIS_TEST_SEED: seed, POLARIS_TEST_ALL_BOUNDARIES: isAll } = process.env;
  if (isAll === "1") return all;
  const at = seed === undefined ? 0 : Number(seed);
  return all.slice(at % all.length, (at % all.length) + 1);
}

/** Waits until the process of a run was there to be killed, and kills it. */
async function killProcessOf(runId: string): Promise<void> {
  await eventually(`the process of ${runId} is killed`, () => workers.kill(runId) || undefined);
}

/** Every step asked the model as often as in the generation that nothing happened to. */
async function assertNotAskedAgain(generation: Generation): Promise<void> {
  assert.deepEqual(await generation.asked(), await whole.asked());
}

describe("a generation", () => {
  it("runs nine steps in order, each as a child of its own, on a queue of its own", async () => {
    const { output, metadata, tags } = await whole.run();
    const children = await whole.children();
    assert.deepEqual(
      children.map(({ payload }) => (payload as { step: string }).step),
      STEPS,
    );
    assert.ok(children.every(({ status }) => status === "COMPLETED"));
    assert.ok(children.every((child) => child.tags.includes(`project_${whole.projectId}`)));
    assert.deepEqual(tags, [`project_${whole.projectId}`]);
    const { success, projectId, steps, files, usage } = output as GeneratedProject;
    assert.deepEqual([success, projectId], [true, whole.projectId]);
    assert.deepEqual(
      steps.map(({ id, runId }) => [id, runId]),
      children.map(({ id }, index) => [STEPS[index], id]),
    );
    assert.equal(files, (await whole.files()).size);
    assert.ok(usage.input > 0 && usage.output > 0);
    assert.deepEqual((output as GeneratedProject).inspection, { count: 0, problems: [] });
    assert.deepEqual(metadata?.step, { id: "verify-project", number: 9, of: 9 });
    assert.equal(metadata?.files, files);
    assert.deepEqual(metadata?.usage, usage);
  });

  it("leaves every file intact", () => whole.assertFiles());

  it("logs each step, each file and each turn with calls", async () => {
    const log = await whole.log();
    const steps = log.filter(({ type }) => type === "step").map(({ message }) => message);
    assert.deepEqual(
      steps,
      ["validate-input", ...STEPS].flatMap((id) => [`Starting ${id}`, `Completed ${id}`]),
    );
    const files = await whole.files();
    const written = log.filter(({ type }) => type === "file");
    assert.deepEqual(written.map(({ filePath = "" }) => filePath).sort(), [...files.keys()].sort());
    for (const { message, filePath = "", preview } of written) {
      const content = files.get(filePath) ?? "";
      assert.equal(message, `Wrote ${filePath}`);
      assert.equal(preview, content.length > 500 ? `${content.slice(0, 500)}…` : content);
    }
    const calls = log.filter(({ message }) => / emitted \d+ tool call\(s\)$/.test(message));
    assert.ok(calls.length > STEPS.length && calls.every(({ type }) => type === "info"));
    assert.ok(log.every(({ type }) => type !== "error"));
    assert.equal(log.at(-1)?.message, "Inspection: no problems found");
  });

  it("sends the bytes of the prompt file, and forces the first tool only", async () => {
    const { system, steps } = await shippedPrompts();
    for (const step of STEPS) {
      const [first, ...others] = (await whole.requests(step)).map(
        ({ body }) => body as { messages: unknown[]; tool_choice?: unknown; max_tokens?: number },
      );
      const text = `Project description:\n${whole.description}\n\n${steps.get(step)}`;
      assert.deepEqual(first?.messages, [
        { role: "system", content: system },
        { role: "user", content: text },
      ]);
      const name = step === "verify-project" ? "listFiles" : "writeFile";
      assert.deepEqual(first?.tool_choice, { type: "function", function: { name } });
      assert.ok(others.every(({ tool_choice }) => tool_choice === undefined));
    }
  });

  it("triggered twice with one id is one generation", async () => {
    const { projectId, description, generationId } = whole;
    const again = await generations.generate({ projectId, description, generationId });
    assert.deepEqual(again, { runId: whole.runId, generationId });
    await assertNotAskedAgain(whole);
  });

  it("triggered by two at the same time is one generation", async () => {
    const projectId = await emptyProject(world, "Two at the same time");
    const same = { projectId, description: " ", generationId: projectId };
    const [one, other] = await Promise.all([
      generations.generate(same),
      generations.generate(same),
    ]);
    assert.equal(one.runId, other.runId);
  });

  it("whose first reply is lost is one generation all the same", async () => {
    const projectId = await emptyProject(world, "Lost reply");
    const before = (await world.runs.events()).filter(({ type }) => type === "triggered").length;
    const url = world.stack.env.TRIGGER_API_URL ?? "";
    const proxy = await LosingProxy.start(url, /\/tasks\/generate-project\/trigger$/);
    process.env.TRIGGER_API_URL = proxy.url;
    try {
      const lost = { projectId, description: " ", generationId: projectId };
      // A run that has failed gives its key free: it is held while it checks its input.
      const path = "system:appendGenerationEvent";
      await world.convex.faults({ path, latencyMs: HELD_MS, count: 1 });
      const { runId } = await generations.generate(lost);
      assert.equal(proxy.lost, 1, "the runner took it, and nobody heard");
      // Somebody who gave up on the answer and asks again, without the proxy.
      process.env.TRIGGER_API_URL = url;
      assert.equal((await generations.generate(lost)).runId, runId);
      const triggered = (await world.runs.events()).filter(({ type }) => type === "triggered");
      assert.deepEqual(
        triggered.slice(before).map((event) => event.runId),
        [runId],
      );
      await world.runs.until("finished", runId);
    } finally {
      process.env.TRIGGER_API_URL = url;
      await proxy.close();
    }
  });

  it("takes an older payload and passes nothing of it on", async () => {
    const projectId = await emptyProject(world, "Older payload");
    const { description, generationId } = whole;
    const canary = "canary-9f2c77aa10";
    const secrets = { internalKey: canary, convexUrl: `http://${canary}`, convexToken: canary };
    // Finished steps of the same generation: nothing is asked again.
    const run = await world.trigger.tasks.trigger<typeof generateProject>("generate-project", {
      projectId,
      description,
      generationId,
      ...secrets,
    });
    const { data } = await world.runs.until("finished", run.id);
    assert.equal(data.status, "COMPLETED_SUCCESSFULLY");
    const { output } = await world.trigger.runs.retrieve(run.id);
    const { steps } = output as GeneratedProject;
    assert.deepEqual(
      steps.map(({ runId }) => runId),
      (await whole.children()).map(({ id }) => id),
    );
    for (const child of await whole.children()) {
      assert.ok(!JSON.stringify(child).includes(canary));
    }
    await assertNotAskedAgain(whole);
  });
});

describe("a generation whose processes are killed", () => {
  it("inside each of the nine steps does that step again, and no other", async () => {
    const generation = await Generation.start(world, "Kill every step once", {
      "verify-project": LOOK_AND_TALK,
    });
    for (const step of STEPS) {
      const { id } = await generation.child(step);
      await generation.streams(step);
      await killProcessOf(id);
    }
    await generation.completed();
    await generation.assertFiles();
    const children = await generation.children();
    assert.deepEqual(
      children.map(({ payload }) => (payload as { step: string }).step),
      STEPS,
    );
    for (const { id } of children) assert.equal(await generation.attempts(id), 2);
    assert.equal(await generation.attempts(), 1, "the parent waited");
    const [asked, expected] = [await generation.asked(), await whole.asked()];
    for (const step of STEPS) {
      const most = 2 * (expected[step] ?? 0);
      assert.ok((asked[step] ?? 0) <= most, `${step} was asked ${asked[step]} times`);
    }
  });

  // A run may be killed once: so each place between two steps needs a generation of its own.
  for (const boundary of boundaries()) {
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
    try {
      await world.runs.until("finished", id);
      await world.runs.until("resumed", generation.runId, 3);
      // Every connection of the frozen process ends meanwhile, without it hearing of that.
      await world.stack.restart("control-plane");
      await world.stack.restart("convex");
    } finally {
      workers.thaw(pid);
    }
    await generation.completed();
    await generation.assertFiles();
    await assertNotAskedAgain(generation);
    assert.equal(await generation.attempts(), 1);
  });

  it("twice in one step ends as failed, with its reason", async (t) => {
    const generation = await Generation.start(world, "Kill a step twice", {
      "generate-source-structure": ENDLESS,
    });
    const { id } = await generation.child("generate-source-structure");
    for (const attempt of [1, 2]) {
      await world.runs.until("attempt started", id, attempt);
      await generation.streams("generate-source-structure", SOME_DELTAS);
      await killProcessOf(id);
      await world.runs.until("attempt ended", id, attempt);
    }
    assert.notEqual(await generation.ended(), "COMPLETED_SUCCESSFULLY");
    const last = (await generation.lines()).at(-1) ?? "";
    t.diagnostic(last);
    assert.match(last, /^error Generation failed: generate-source-structure: ./);
    const { error } = await generation.run();
    assert.match(error?.message ?? "", /generate-source-structure/);
    assert.equal((await generation.asked())["generate-components"], 0);
  });
});

describe("a generation that is cancelled", () => {
  it("stops the model at once, keeps its files, and logs it once", async (t) => {
    const generation = await Generation.start(world, "Cancel me midway", {
      "generate-components": ENDLESS,
    });
    await generation.streams("generate-components", SOME_DELTAS);
    const child = await generation.child("generate-components");
    const before = await generation.files();
    assert.ok(before.size > 0);
    const begun = Date.now();
    const cancelled = await generations.cancelGeneration({ runId: generation.runId });
    assert.deepEqual(cancelled, { runCancelled: true });
    const closed = await eventually("the model's socket is closed", async () =>
      (await generation.modelLog("client-closed")).at(0),
    );
    t.diagnostic(`the socket closed ${Math.round(closed.at - begun)} ms after the cancel`);
    assert.equal(await generation.ended(), "CANCELED");
    const { data } = await world.runs.until("finished", child.id);
    assert.equal(data.status, "CANCELED");
    const [[childAsked], [parentEnded]] = await Promise.all([
      world.runs.of(child.id, "cancel requested"),
      world.runs.of(generation.runId, "finished"),
    ]);
    assert.ok(
      (childAsked?.at ?? Number.NaN) < (parentEnded?.at ?? Number.NaN),
      "the parent stops its child itself, and does not leave it to the runner",
    );
    assert.deepEqual(await generation.files(), before);
    const lines = await generation.lines();
    assert.deepEqual(
      lines.filter((line) => /cancel|fail/i.test(line)),
      ["info Generation cancelled"],
    );
    assert.equal(lines.at(-1), "info Generation cancelled");
    assert.equal((await generation.asked())["generate-pages"], 0);
    const reports = (await world.sentry.events()).filter(
      ({ tags }) => tags?.runId === generation.runId || tags?.runId === child.id,
    );
    assert.deepEqual(reports, []);
    assert.deepEqual(await generations.cancelGeneration({ runId: generation.runId }), {
      runCancelled: false,
    });
  });
});

describe("a generation that is cancelled while its input is checked", () => {
  const appends = "system:appendGenerationEvent";
  after(() => world.convex.faults());

  it("asks no model, and logs it once", async () => {
    await world.convex.faults({ path: appends, latencyMs: HELD_MS, count: 1 });
    const generation = await Generation.start(world, "Cancel me at once");
    await world.convex.held("the first line of the log", ({ path }) => path === appends);
    await generations.cancelGeneration({ runId: generation.runId });
    assert.equal(await generation.ended(), "CANCELED");
    const lines = await generation.lines();
    assert.deepEqual(
      lines.filter((line) => /cancel|fail/i.test(line)),
      ["info Generation cancelled"],
    );
    assert.deepEqual(await generation.modelLog(), []);
  });
});

describe("a generation that is cancelled before it began", () => {
  it("never begins, and logs it once", async () => {
    await world.stack.kill("cli");
    const generation = await Generation.start(world, "Cancel me before I begin");
    const { runId } = generation;
    assert.deepEqual(await generations.cancelGeneration({ runId }), { runCancelled: true });
    assert.deepEqual(await generation.lines(), ["info Generation cancelled"]);
    await world.stack.start("cli");
    assert.equal(await generation.ended(), "CANCELED");
    assert.equal(await generation.attempts(), 0);
    assert.deepEqual(await generation.lines(), ["info Generation cancelled"]);
  });
});

describe("a generation that cannot be", () => {
  it("without a description says so, once, and asks no model", async () => {
    const projectId = await emptyProject(world, "Blank");
    const { runId } = await generations.generate({ projectId, description: " \n\t" });
    const { data } = await world.runs.until("finished", runId);
    assert.notEqual(data.status, "COMPLETED_SUCCESSFULLY");
    const { error, status } = await world.trigger.runs.retrieve(runId);
    assert.equal(status, "FAILED");
    assert.match(error?.message ?? "", /Description is required$/);
    assert.equal((await world.runs.of(runId, "attempt started")).length, 1);
    const log = await world.convex.table<LogLine>("generationEvents");
    assert.deepEqual(
      log
        .filter((line) => line.projectId === projectId)
        .map((line) => `${line.type} ${line.message}`),
      ["step Starting validate-input", "error Validation failed: description is required"],
    );
  });

  it("in a project that does not exist fails with that reason", async () => {
    const { projectId } = whole;
    const unknown = `${projectId.slice(0, -4)}${[...projectId.slice(-4)].reverse().join("")}`;
    const { runId } = await generations.generate({ projectId: unknown, description: "A shop" });
    await world.runs.until("finished", runId);
    const { error, status } = await world.trigger.runs.retrieve(runId);
    assert.equal(status, "FAILED");
    assert.match(error?.message ?? "", /^PROJECT_NOT_FOUND: .*Project not found$/);
  });

  it("with a plan that does not exist names it", async () => {
    const projectId = await emptyProject(world, "Unknown plan");
    const payload = { projectId, description: "A shop", plan: "other" as "general" };
    const idempotencyKey = await idempotencyKeys.create(projectId, { scope: "global" });
    const { tasks, runs } = world.trigger;
    const { id } = await tasks.trigger<typeof generateProject>("generate-project", payload, {
      idempotencyKey,
    });
    await world.runs.until("finished", id);
    const { error } = await runs.retrieve(id);
    assert.match(error?.message ?? "", /^PAYLOAD_INVALID: .*plan/);
    assert.match(error?.message ?? "", /other/);
    const log = await world.convex.table<LogLine>("generationEvents");
    assert.deepEqual(
      log.filter((line) => line.projectId === projectId).map(({ message }) => message),
      [`Generation failed: ${error?.message}`],
    );
    assert.equal((await world.runs.of(id, "attempt started")).length, 1);
  });

  it("because the model refuses fails with the step's reason, and is not begun again", async () => {
    const generation = await Generation.start(world, "The model refuses", {
      "generate-source-structure": [{ fail: { status: 401 } }],
    });
    await generation.ended();
    const { status, error } = await generation.run();
    assert.equal(status, "FAILED");
    assert.match(error?.message ?? "", /generate-source-structure: MODEL_AUTH/);
    assert.equal((await world.runs.of(generation.runId, "attempt started")).length, 1);
    const errors = (await generation.lines()).filter((line) => line.startsWith("error "));
    assert.equal(errors.length, 2, errors.join("\n"));
    assert.match(errors[0] ?? "", /^error generate-source-structure failed: /);
    assert.match(
      errors[1] ?? "",
      /^error Generation failed: generate-source-structure: MODEL_AUTH/,
    );
    assert.equal((await generation.asked())["generate-components"], 0);
  });
});

describe("the keys of the installation", () => {
  it("are in no report, row or table after all this; one that were would be found", async () => {
    assert.deepEqual(await leakedSecrets(world.stack), []);
    const { store, internalKey, stack } = world;
    await store.mutation(api.system.appendGenerationEvent, {
      internalKey,
      projectId: whole.projectId,
      type: "info",
      message: `a line with ${internalKey} in it`,
    });
    const { id } = await world.trigger.tasks.trigger("demo-error", {
      token: stack.env.TRIGGER_SECRET_KEY,
    });
    await world.runs.until("finished", id);
    assert.deepEqual(await leakedSecrets(stack), [
      "POLARIS_CONVEX_INTERNAL_KEY stands in Convex table generationEvents",
      "TRIGGER_SECRET_KEY stands in control plane table runs",
    ]);
  });

  it("are not in the one report of a failed demo job, which names its task and run", async () => {
    const { id } = await world.trigger.tasks.trigger("demo-error", {});
    await world.runs.until("finished", id);
    const [report, ...more] = await world.sentry.ofRun(id);
    assert.deepEqual(more, []);
    assert.deepEqual(report?.tags, { taskId: "demo-error", runId: id });
    const value = "Trigger.dev error: Background job failed!";
    assert.equal(report?.exception?.values?.at(-1)?.value, value);
    assert.ok(!JSON.stringify(report).includes(world.internalKey));
  });
});
