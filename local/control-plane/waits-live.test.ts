// The unmodified official CLI and SDK against the control plane: parents and children, waits, batches,
// large data, and what a kill of either side leaves of them. The processes are kept alive, as the
// product has it; one CLI serves all tests.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { batch, runs, type TaskOutput, tasks } from "@trigger.dev/sdk";
import { z } from "zod";
import { type SpawnedService, spawnService } from "../service.ts";
import type { Cli } from "./cli.ts";
import {
  EventLog,
  finished,
  hasMetadata,
  type Plane,
  scratchFolder,
  startFixtureCli,
  useSdk,
  waitUntil,
} from "./fixtures/harness.ts";
import type {
  batches,
  echo,
  oneAtATime,
  parentOfGated,
  parentOfHanging,
  parentOfLarge,
  parentOfThree,
  parentToKill,
  waitsForTime,
} from "./fixtures/trigger/waits.ts";

const Ready = z.object({
  url: z.string(),
  port: z.number(),
  secretKey: z.string(),
  accessToken: z.string(),
  projectRef: z.string(),
  adminKey: z.string(),
});

const folder = scratchFolder();
let service: SpawnedService;
let plane: Plane & { port: number };
let cli: Cli;
let log: EventLog;

async function start(port?: number): Promise<void> {
  const args = ["--state", folder.path, ...(port === undefined ? [] : ["--port", String(port)])];
  service = await spawnService("control-plane", { args });
  plane = Ready.parse(service.info);
}

before(async () => {
  await start();
  useSdk(plane);
  log = new EventLog(plane);
  cli = await startFixtureCli(plane, {
    branch: "waits",
    home: `${folder.path}/home`,
    env: { FIXTURE_KEEP_ALIVE: "1" },
  });
});

after(async () => {
  await cli?.close();
  await service?.close();
  folder.remove();
});

let gates = 0;
function gate(): { path: string; open(): void } {
  const path = `${folder.path}/gate-${gates++}`;
  return { path, open: () => writeFileSync(path, "") };
}

async function childOf(parent: string): Promise<string> {
  let child: string | undefined;
  await waitUntil(`${parent} has a child`, async () => {
    child = (await runs.retrieve(parent)).relatedRuns.children?.at(-1)?.id;
    return child !== undefined;
  });
  return child ?? "";
}

describe("triggerAndWait", () => {
  const three = async (generation: string) => {
    const { id } = await tasks.trigger<typeof parentOfThree>("parent-of-three", { generation });
    const run = await finished(id);
    assert.equal(run.status, "COMPLETED", JSON.stringify(run.error));
    return { id, steps: (run.output as TaskOutput<typeof parentOfThree>).steps };
  };

  it("gives the outputs of three steps in turn, with their types, in tens of milliseconds", async (t) => {
    const cold = await three("first");
    const warm = await three("second");
    assert.deepEqual(
      warm.steps.map((step) => [step.name, step.isDate]),
      [
        ["one", true],
        ["two", true],
        ["three", true],
      ],
    );
    const ms = (steps: { ms: number }[]) => steps.map((step) => Math.round(step.ms)).join(", ");
    t.diagnostic(`ms a step, cold: ${ms(cold.steps)}; warm: ${ms(warm.steps)}`);
    await log.refresh();
    for (const kind of ["blocked", "resumed"]) assert.equal(log.of(warm.id, kind).length, 3);
    // The CLI's own poll would take 5,000 ms; the rest is a busy machine.
    assert.ok(warm.steps.every((step) => step.ms < 2_500));
  });

  it("finds the steps of another parent with the same keys, done, and repeats none", async (t) => {
    const one = await three("shared");
    const two = await three("shared");
    assert.deepEqual(
      two.steps.map((step) => step.id),
      one.steps.map((step) => step.id),
    );
    await log.refresh();
    for (const { id } of one.steps) assert.equal(log.of(id, "attempt started").length, 1);
    t.diagnostic(`ms a cached step: ${two.steps.map((step) => Math.round(step.ms)).join(", ")}`);
    assert.ok(
      two.steps.every((step) => step.ms < 2_500),
      "not left to the CLI's poll",
    );
  });

  it("gives the error of a child that failed", async () => {
    const { id } = await tasks.trigger("parent-of-failing", {});
    assert.deepEqual((await finished(id)).output, {
      ok: false,
      name: "RangeError",
      message: "bad fails",
    });
  });

  it("cancelled in the parent reaches the child within milliseconds", async (t) => {
    const { id } = await tasks.trigger<typeof parentOfHanging>("parent-of-hanging", undefined);
    const child = await childOf(id);
    await hasMetadata(child, "started");
    await runs.cancel(id);
    const [parent, inner] = await Promise.all([finished(id), finished(child)]);
    assert.deepEqual([parent.status, inner.status], ["CANCELED", "CANCELED"]);
    await log.refresh();
    const [asked] = log.of(id, "cancel requested");
    const [delivered] = log.of(child, "cancel delivered");
    assert.ok(asked && delivered);
    const ms = {
      delivered: Math.round(delivered.at - asked.at),
      signalled: Math.round(Number(inner.metadata?.signalled) - asked.at),
    };
    t.diagnostic(`in the child's CLI after ${ms.delivered} ms, in its task ${ms.signalled} ms`);
    assert.ok(ms.delivered < 250 && ms.signalled < 1_000, JSON.stringify(ms));
  });
});

describe("a parent that is killed while it waits", () => {
  it("begins anew by its policy, finds what is done at once and waits for what is under way", async () => {
    const { path, open } = gate();
    const payload = { generation: `killed-${path}`, gate: path };
    const { id } = await tasks.trigger<typeof parentToKill>("parent-to-kill", payload);
    const pid = Number(await hasMetadata(id, "pid"));
    await log.until("blocked", { runId: id, nth: 2 });
    process.kill(pid, "SIGKILL");
    await log.until("attempt started", { runId: id, nth: 2 });
    await waitUntil("its second attempt waits", async () => {
      const { metadata } = await runs.retrieve(id);
      return metadata?.attempt === 2;
    });
    open();
    const run = await finished(id);
    assert.equal(run.status, "COMPLETED", JSON.stringify(run.error));
    const output = run.output as TaskOutput<typeof parentToKill>;
    assert.equal(output.attempt, 2);
    await log.refresh();
    for (const child of [output.first, output.second]) {
      assert.equal(log.of(child, "attempt started").length, 1, "no step is repeated");
    }
  });
});

describe("a control plane that is killed while a parent waits", () => {
  it("continues the parent when the child ended meanwhile, or ends later", async () => {
    const [early, late] = [gate(), gate()];
    const trigger = (path: string) =>
      tasks.trigger<typeof parentOfGated>("parent-of-gated", { gate: path });
    const ids = [(await trigger(early.path)).id, (await trigger(late.path)).id];
    for (const id of ids) await hasMetadata(await childOf(id), "started");
    const timed = await tasks.trigger<typeof waitsForTime>("waits-for-time", { seconds: 5.5 });
    await log.until("blocked", { runId: timed.id });
    await service.kill("SIGKILL");
    early.open();
    await start(plane.port);
    late.open();
    for (const id of ids) {
      const run = await finished(id);
      assert.equal(run.status, "COMPLETED", JSON.stringify(run.error));
      assert.equal(run.attemptCount, 1);
      assert.equal((run.output as { ok: boolean }).ok, true);
    }
    const waited = await finished(timed.id);
    const { waited: ms } = waited.output as { waited: number };
    assert.ok(ms >= 5_500 && ms < 15_000, `${ms} ms`);
  });
});

describe("a wait for a time", () => {
  it("ends at that time, which the control plane keeps", async () => {
    const trigger = (until: boolean) =>
      tasks.trigger<typeof waitsForTime>("waits-for-time", { seconds: 5.1, until });
    const both = await Promise.all([trigger(false), trigger(true)]);
    for (const { id } of both) {
      await log.until("resumed", { runId: id });
      const { waited } = (await finished(id)).output as { waited: number };
      // The CLI's own poll comes five seconds after its last news: it must not be what ends the wait.
      assert.ok(waited >= 5_090 && waited < 8_000, `${waited} ms`);
    }
  });
});

describe("a batch", () => {
  it("gives the results in order, of one task or of several; or is only handed in", async () => {
    const { id } = await tasks.trigger<typeof batches>("batches", undefined);
    const run = await finished(id);
    assert.equal(run.status, "COMPLETED", JSON.stringify(run.error));
    const output = run.output as TaskOutput<typeof batches>;
    assert.deepEqual(output.same, ["a", "b fails", "c"]);
    assert.deepEqual(output.mixed[0], { name: "d", at: new Date(0).toISOString() });
    assert.deepEqual(output.mixed[1], { given: 1, text: "e" });
    const loose = await batch.retrieve(output.loose);
    assert.equal(loose.runs.length, 2);
    for (const child of loose.runs) assert.equal((await finished(child)).status, "COMPLETED");
    assert.equal((await batch.retrieve(output.loose)).status, "COMPLETED");
  });
});

describe("large data", () => {
  it("goes in and comes out whole, from outside and between parent and child", async () => {
    const text = "abcdefgh".repeat(75_000);
    const { id } = await tasks.trigger<typeof echo>("echo", { text, repeat: 87_500 });
    const between = await tasks.trigger<typeof parentOfLarge>("parent-of-large", {
      characters: 700_000,
    });
    const run = await finished(id);
    assert.equal(run.status, "COMPLETED", JSON.stringify(run.error));
    assert.deepEqual(run.payload, { text, repeat: 87_500 });
    assert.deepEqual(run.output, { given: 600_000, text: "abcdefgh".repeat(87_500) });
    const parent = await finished(between.id);
    assert.deepEqual(parent.output, { given: 700_000, returned: 700_000 });
  });
});

describe("a queue with a limit of one", () => {
  it("runs one after the other, in order", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) {
      ids.push((await tasks.trigger<typeof oneAtATime>("one-at-a-time", undefined)).id);
    }
    const times = [];
    for (const id of ids)
      times.push((await finished(id)).output as { began: number; ended: number });
    for (const [i, { began }] of times.entries()) {
      if (i > 0) assert.ok(began >= (times[i - 1]?.ended ?? 0), "no two at the same time");
    }
  });
});
