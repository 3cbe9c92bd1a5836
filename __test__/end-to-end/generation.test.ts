// A project generated in nine durable steps, through the official CLI and SDK: the steps and their
// order, cancels, and what is refused. The model is the scripted persona, which writes the same project
// again for the same description. What kills do is in generation-killed.test.ts.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { idempotencyKeys } from "@trigger.dev/sdk";
import { api } from "../../app/convex/_generated/api.js";
import { leakedSecrets } from "../../local/commands/demo/error.ts";
import type { GeneratedProject, generateProject } from "../../trigger/tasks/generate-project.ts";
import {
  emptyProject,
  Generation,
  generations,
  type LogLine,
  STEPS,
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
let world: World;
let whole: Generation;

before(async () => {
  world = await World.start("generation", { pace: PACE_TOKENS_PER_SECOND });
  whole = await Generation.start(world, "An agency and its clients");
  await whole.completed();
});
after(() => world?.close());

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
    const { status, step, usage: told, ...rest } = await generations.progressOf(whole);
    assert.deepEqual(
      { status, step, usage: told, ...rest },
      { status: "completed", step: { id: "verify-project", number: 9, of: 9 }, usage, files },
    );
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

describe("a generation that is cancelled", () => {
  it("stops the model at once, keeps its files, and logs it once", async (t) => {
    const generation = await Generation.start(world, "Cancel me midway", {
      "generate-components": ENDLESS,
    });
    await generation.streams("generate-components", SOME_DELTAS);
    const child = await generation.child("generate-components");
    const before = await generation.files();
    assert.ok(before.size > 0);
    const { status, step, files, usage } = await generations.progressOf(generation);
    assert.deepEqual(
      [status, step, files],
      ["running", { id: "generate-components", number: 3, of: 9 }, before.size],
    );
    assert.ok((usage?.output ?? 0) > 0);
    const begun = Date.now();
    const cancelled = await generations.cancelGeneration({ runId: generation.runId });
    assert.deepEqual(cancelled, { runCancelled: true });
    const closed = await eventually("the model's socket is closed", async () =>
      (await generation.modelLog("client-closed")).at(0),
    );
    t.diagnostic(`the socket closed ${Math.round(closed.at - begun)} ms after the cancel`);
    assert.equal(await generation.ended(), "CANCELED");
    assert.equal((await generations.progressOf(generation)).status, "cancelled");
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
  const begins = "system:beginGeneration";
  after(() => world.convex.faults());

  it("asks no model, and logs it once", async () => {
    await world.convex.faults({ path: begins, hold: true });
    const generation = await Generation.start(world, "Cancel me at once");
    await world.convex.held("the first line of the log", ({ path }) => path === begins);
    await generations.cancelGeneration({ runId: generation.runId });
    assert.equal(await generation.ended(), "CANCELED");
    await world.convex.faults();
    const lines = await generation.lines();
    assert.deepEqual(
      lines.filter((line) => /cancel|fail/i.test(line)),
      ["info Generation cancelled"],
    );
    assert.deepEqual(await generation.modelLog(), []);
    assert.deepEqual(await generation.children(), []);
  });
});

// Without a worker a run stays queued, however long the test takes: nothing here is a race.
describe("a generation that no worker has taken yet", () => {
  before(() => world.stack.kill("cli"));

  it("is one, also when two ask for it at the same time", async () => {
    const projectId = await emptyProject(world, "Two at the same time");
    const same = { projectId, description: " ", generationId: projectId };
    const [one, other] = await Promise.all([
      generations.generate(same),
      generations.generate(same),
    ]);
    assert.equal(one.runId, other.runId);
  });

  it("is one, also when the first reply was lost", async () => {
    const projectId = await emptyProject(world, "Lost reply");
    const before = (await world.runs.events()).filter(({ type }) => type === "triggered").length;
    const url = world.stack.env.TRIGGER_API_URL ?? "";
    const proxy = await LosingProxy.start(url, /\/tasks\/generate-project\/trigger$/);
    process.env.TRIGGER_API_URL = proxy.url;
    try {
      const lost = { projectId, description: " ", generationId: projectId };
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
    } finally {
      process.env.TRIGGER_API_URL = url;
      await proxy.close();
    }
  });

  it("never begins when it is cancelled, and logs it once", async () => {
    const generation = await Generation.start(world, "Cancel me before I begin");
    const { runId } = generation;
    assert.deepEqual(await generations.cancelGeneration({ runId }), { runCancelled: true });
    assert.deepEqual(await generation.lines(), ["info Generation cancelled"]);
    const { status, files } = await generations.progressOf(generation);
    assert.deepEqual([status, files], ["cancelled", 0]);
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

  it("with a description of a megabyte says what it takes, once, and asks no model", async () => {
    const projectId = await emptyProject(world, "A megabyte");
    const description = "x".repeat(1 << 20);
    const { runId } = await generations.generate({ projectId, description });
    await world.runs.until("finished", runId);
    const { status, error = "" } = await generations.progressOf({ runId });
    assert.equal(status, "failed");
    assert.match(
      error,
      /PAYLOAD_INVALID: Description is 1048576 bytes long, at most 65536 are taken$/,
    );
    assert.equal((await world.runs.of(runId, "attempt started")).length, 1);
    assert.deepEqual((await world.trigger.runs.retrieve(runId)).relatedRuns.children ?? [], []);
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
