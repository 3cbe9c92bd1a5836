// The unmodified official CLI and SDK against the control plane: what runs, retries and cancels do.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { idempotencyKeys, runs, tasks } from "@trigger.dev/sdk";
import type { Cli } from "./cli.ts";
import {
  copyFixtures,
  EventLog,
  finished,
  hasMetadata,
  scratchFolder,
  startFixtureCli,
  useSdk,
  waitUntil,
} from "./fixtures/harness.ts";
import type {
  alwaysFails,
  describes,
  environment,
  failsThenSucceeds,
  hello,
  killedWithLargerMachine,
  triggersAnother,
} from "./fixtures/trigger/tasks.ts";
import { type ControlPlane, startControlPlane } from "./index.ts";

const folder = scratchFolder();
let plane: ControlPlane;
let cli: Cli;
let project: string;
let log: EventLog;

before(async () => {
  plane = await startControlPlane({
    state: folder.path,
    workerVariables: { FROM_THE_SERVER: "server", IN_BOTH: "server" },
  });
  useSdk(plane);
  log = new EventLog(plane);
  project = copyFixtures(`${folder.path}/project`);
  cli = await startFixtureCli(plane, {
    cwd: project,
    branch: "live",
    home: `${folder.path}/home`,
    env: { IN_BOTH: "process", FROM_THE_PROCESS: "process", EMPTY: "" },
  });
});

after(async () => {
  await cli?.close();
  await plane?.close();
  folder.remove();
});

describe("a run", () => {
  it("gets its payload and gives its output with types kept, and leaves spans and logs", async () => {
    const at = new Date("2026-01-02T03:04:05Z");
    const { id } = await tasks.trigger<typeof hello>("hello", { name: "Ada", at });
    const run = await runs.poll<typeof hello>(id, { pollIntervalMs: 50 });
    assert.equal(run.status, "COMPLETED");
    assert.equal(run.output?.text, "Hello, Ada");
    assert.equal(run.output?.isDate, true);
    assert.equal(run.attemptCount, 1);
    assert.equal(run.version, cli.worker.version);
    assert.ok(run.startedAt && run.finishedAt);
    const page = await fetch(plane.url).then((response) => response.text());
    const token = /name="page-token" content="([^"]+)"/.exec(page)?.[1] ?? "";
    await waitUntil("its log and spans have arrived", async () => {
      const response = await fetch(`${plane.url}/page/runs/${id}`, {
        headers: { "x-page-token": token },
      });
      const { spans, logs } = (await response.json()) as {
        spans: { name: string }[];
        logs: { body: string }[];
      };
      return (
        logs.some((each) => each.body === "hello from the task") &&
        spans.some((each) => each.name.includes("run()"))
      );
    });
  });

  it("that fails is tried again after the delay that its task asks for", async () => {
    const { id } = await tasks.trigger<typeof failsThenSucceeds>("fails-then-succeeds", {
      failures: 1,
    });
    const run = await finished(id);
    assert.equal(run.status, "COMPLETED");
    assert.deepEqual(run.output, { attempt: 2 });
    assert.equal(run.attemptCount, 2);
    await log.refresh();
    const [failed] = log.of(id, "attempt ended");
    const second = log.of(id, "attempt started")[1];
    assert.ok(failed && second && second.at - failed.at >= 100, "a pause lies between");
  });

  it("that always fails ends as failed with its error after all attempts", async () => {
    const { id } = await tasks.trigger<typeof alwaysFails>("always-fails", undefined);
    const run = await finished(id);
    assert.equal(run.status, "FAILED");
    assert.equal(run.attemptCount, 3);
    assert.equal(run.error?.name, "TypeError");
    assert.equal(run.error?.message, "never works");
    assert.match(run.error?.stackTrace ?? "", /tasks\.ts/);
  });

  it("that aborts is not tried again", async () => {
    const run = await finished((await tasks.trigger("aborts", {})).id);
    assert.equal(run.status, "FAILED");
    assert.equal(run.attemptCount, 1);
    assert.equal(run.error?.message, "not worth another try");
  });

  it("whose process exits is tried again and then crashed", async () => {
    const run = await finished((await tasks.trigger("exits", {})).id);
    assert.equal(run.status, "CRASHED");
    assert.equal(run.attemptCount, 2);
  });

  it("whose process is killed counts as out of memory and is not tried again", async () => {
    const { id } = await tasks.trigger("killed", {});
    const run = await finished(id);
    assert.equal(run.status, "CRASHED");
    assert.equal(run.attemptCount, 1);
  });

  it("whose process is killed goes on once on the larger machine that the task names", async () => {
    const trigger = (kills: number) =>
      tasks.trigger<typeof killedWithLargerMachine>("killed-with-larger-machine", { kills });
    const [once, twice] = await Promise.all([trigger(1), trigger(2)]);
    const saved = await finished(once.id);
    assert.equal(saved.status, "COMPLETED");
    assert.deepEqual(saved.output, { attempt: 2, machine: "small-2x" });
    const lost = await finished(twice.id);
    assert.equal(lost.status, "CRASHED");
    assert.equal(lost.attemptCount, 2);
  });

  it("keeps metadata and tags set from outside and from inside", async () => {
    const { id } = await tasks.trigger<typeof describes>("describes", undefined, {
      tags: ["outside"],
      metadata: { given: true },
    });
    const run = await finished(id);
    assert.equal(run.output, "described");
    assert.deepEqual(run.metadata, { given: true, status: "working", count: 3, list: ["a", "b"] });
    assert.deepEqual(run.tags, ["from-inside", "outside"]);
    const tagged = await runs.list({ tag: "from-inside" });
    assert.deepEqual(
      tagged.data.map((each) => each.id),
      [id],
    );
  });

  it("can trigger another one, which knows its parent and its trace", async () => {
    const { id } = await tasks.trigger<typeof triggersAnother>("triggers-another", undefined);
    const parent = await finished(id);
    const { child } = parent.output as { child: string };
    const run = await finished(child);
    assert.equal(run.relatedRuns.parent?.id, id);
    assert.equal(run.relatedRuns.root?.id, id);
    assert.equal(run.depth, 1);
  });

  it("sees the variables of the CLI's process below those of the server, and no empty one", async () => {
    const names = ["FROM_THE_SERVER", "FROM_THE_PROCESS", "IN_BOTH", "EMPTY", "TRIGGER_API_URL"];
    const { id } = await tasks.trigger<typeof environment>("environment", { names });
    assert.deepEqual((await finished(id)).output, {
      FROM_THE_SERVER: "server",
      FROM_THE_PROCESS: "process",
      IN_BOTH: "server",
      EMPTY: null,
      TRIGGER_API_URL: plane.url,
    });
  });
});

describe("a trigger", () => {
  it("with the key of a run that did not fail gives that run, with another key a new one", async () => {
    const key = await idempotencyKeys.create(`key-${Date.now()}`, { scope: "global" });
    const again = { idempotencyKey: key };
    const first = await tasks.trigger("hello", { name: "a" }, again);
    const second = await tasks.trigger("hello", { name: "b" }, again);
    assert.equal(second.id, first.id);
    await finished(first.id);
    assert.equal((await tasks.trigger("hello", { name: "c" }, again)).id, first.id);
    assert.notEqual((await tasks.trigger("hello", { name: "d" })).id, first.id);
  });

  it("with the key of a failed or cancelled run gives a new one", async () => {
    const key = await idempotencyKeys.create(`failed-${Date.now()}`, { scope: "global" });
    const options = { idempotencyKey: key, delay: "1h" };
    const first = await tasks.trigger("hello", { name: "a" }, options);
    await runs.cancel(first.id);
    const second = await tasks.trigger("hello", { name: "a" }, options);
    assert.notEqual(second.id, first.id);
    await runs.cancel(second.id);
  });

  it("with a time to live expires when no worker takes it in time", async () => {
    const { id } = await tasks.trigger("no-such-task", {}, { ttl: "1s" });
    assert.equal((await runs.retrieve(id)).status, "QUEUED");
    const run = await runs.poll(id, { pollIntervalMs: 100 });
    assert.equal(run.status, "EXPIRED");
    assert.ok(run.expiredAt);
  });

  it("with a delay starts after it", async () => {
    const delay = new Date(Date.now() + 700);
    const { id } = await tasks.trigger("hello", { name: "later" }, { delay });
    assert.equal((await runs.retrieve(id)).status, "DELAYED");
    const run = await finished(id);
    assert.equal(run.status, "COMPLETED");
    assert.ok(run.startedAt && run.startedAt >= delay);
  });
});

describe("a cancel", () => {
  it("of an executing run reaches the task in milliseconds, and the run ends as cancelled", async (t) => {
    const { id } = await tasks.trigger("hangs", {});
    await hasMetadata(id, "started");
    await runs.cancel(id);
    assert.equal((await runs.retrieve(id)).status, "CANCELED");
    const run = await finished(id);
    assert.equal(run.status, "CANCELED");
    await log.refresh();
    const [asked] = log.of(id, "cancel requested");
    const [delivered] = log.of(id, "cancel delivered");
    assert.ok(asked && delivered);
    const signalled = Number(run.metadata?.signalled);
    const ms = { delivered: delivered.at - asked.at, signalled: signalled - asked.at };
    t.diagnostic(`delivered after ${ms.delivered} ms, in the task after ${ms.signalled} ms`);
    // Without the socket the CLI's own poll would take up to 5,000 ms; the rest is a busy machine.
    assert.ok(ms.delivered < 250 && ms.signalled < 1_000, JSON.stringify(ms));
    assert.equal(log.of(id, "finished").length, 1);
  });

  it("that meets a worker process in its first moments is not lost", async () => {
    const { id } = await tasks.trigger("hangs", {});
    await log.until("attempt started", { runId: id });
    await runs.cancel(id);
    const run = await finished(id, 15_000);
    assert.equal(run.status, "CANCELED");
    const ended = await log.until("finished", { runId: id });
    const [asked] = log.of(id, "cancel requested");
    assert.ok(asked && ended.at - asked.at < 5_000, "faster than the CLI's own poll");
  });

  it("of a queued run ends it at once, and it never starts", async () => {
    const { id } = await tasks.trigger("no-such-task", {});
    await runs.cancel(id);
    const run = await runs.retrieve(id);
    assert.equal(run.status, "CANCELED");
    assert.ok(run.finishedAt);
    assert.equal(run.attemptCount, 0);
  });

  it("of a delayed run ends it at once", async () => {
    const { id } = await tasks.trigger("hello", { name: "x" }, { delay: "1h" });
    await runs.cancel(id);
    const run = await runs.retrieve(id);
    assert.equal(run.status, "CANCELED");
    assert.ok(run.finishedAt);
  });

  it("in a retry delay ends the run at once, and no attempt follows", async () => {
    const { id } = await tasks.trigger("slow-retry", {});
    await log.until("retry scheduled", { runId: id });
    assert.equal((await runs.retrieve(id)).status, "EXECUTING");
    await runs.cancel(id);
    const run = await runs.retrieve(id);
    assert.equal(run.status, "CANCELED");
    assert.ok(run.finishedAt);
    assert.equal(run.attemptCount, 1);
  });

  it("of a finished run is answered and changes nothing", async () => {
    const { id } = await tasks.trigger("hello", { name: "done" });
    const done = await finished(id);
    assert.deepEqual(await runs.cancel(id), { id });
    const run = await runs.retrieve(id);
    assert.equal(run.status, "COMPLETED");
    assert.deepEqual(run.finishedAt, done.finishedAt);
    assert.deepEqual(run.output, done.output);
  });

  it("twice is one cancel", async () => {
    const { id } = await tasks.trigger("hangs", {});
    await hasMetadata(id, "started");
    await Promise.all([runs.cancel(id), runs.cancel(id)]);
    await finished(id);
    await log.refresh();
    assert.equal(log.of(id, "cancel requested").length, 2);
    assert.equal(log.of(id, "finished").length, 1);
  });

  it("of a run that does not exist is a 404", async () => {
    await assert.rejects(runs.cancel("run_doesnotexist"), { status: 404 });
  });
});

describe("reading", () => {
  it("lists by status and task, newest first, page by page", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift((await tasks.trigger("hello", { name: "x" }, { delay: "2h", tags: "paged" })).id);
    }
    const seen: string[] = [];
    const query = { status: "DELAYED", taskIdentifier: "hello", tag: "paged", limit: 2 } as const;
    for await (const run of runs.list(query)) seen.push(run.id);
    assert.deepEqual(seen, ids);
    const first = await runs.list(query);
    const second = await first.getNextPage();
    assert.deepEqual(
      (await second.getPreviousPage()).data.map((run) => run.id),
      ids.slice(0, 2),
    );
    assert.equal((await runs.list({ status: "WAITING" })).data.length, 0);
    for (const id of ids) await runs.cancel(id);
  });

  it("replays a run with the same payload", async () => {
    const { id } = await tasks.trigger("hello", { name: "twice" });
    await finished(id);
    const replay = await runs.replay(id);
    assert.notEqual(replay.id, id);
    const run = await finished(replay.id);
    assert.equal((run.output as { text: string }).text, "Hello, twice");
  });
});

describe("a hot reload", () => {
  it("registers the changed code as the next version, and runs it", async () => {
    const code = `import { task } from "@trigger.dev/sdk";
      export const added = task({ id: "added", run: async () => "new code" });`;
    writeFileSync(`${project}/trigger/added.ts`, code);
    const registered = await log.until("worker registered", { nth: 2 });
    assert.notEqual(registered.data.version, cli.worker.version);
    assert.ok((registered.data.tasks as string[]).includes("added"));
    const run = await finished((await tasks.trigger("added", {})).id);
    assert.equal(run.output, "new code");
    assert.equal(run.version, registered.data.version);
    const old = await finished((await tasks.trigger("hello", { name: "still" })).id);
    assert.equal(old.status, "COMPLETED");
  });
});
