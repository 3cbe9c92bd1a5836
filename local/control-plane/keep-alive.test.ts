// With `processKeepAlive` the CLI runs one run after another in the same process. What that means for
// a cancel, which always ends the process: it must never end another run's.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runs, tasks } from "@trigger.dev/sdk";
import type { Cli } from "./cli.ts";
import {
  EventLog,
  finished,
  hasMetadata,
  isAlive,
  scratchFolder,
  startFixtureCli,
  useSdk,
  waitUntil,
} from "./fixtures/harness.ts";
import type { whichProcess } from "./fixtures/trigger/tasks.ts";
import { type ControlPlane, startControlPlane } from "./index.ts";

const folder = scratchFolder();
let plane: ControlPlane;
let cli: Cli;
let log: EventLog;

before(async () => {
  plane = await startControlPlane({ state: folder.path });
  useSdk(plane);
  log = new EventLog(plane);
  cli = await startFixtureCli(plane, {
    branch: "keep-alive",
    home: `${folder.path}/home`,
    env: { FIXTURE_KEEP_ALIVE: "1" },
  });
});

after(async () => {
  await cli?.close();
  await plane?.close();
  folder.remove();
});

async function pidOfNextRun(): Promise<number> {
  const { id } = await tasks.trigger<typeof whichProcess>("process", undefined);
  const run = await finished(id);
  assert.equal(run.status, "COMPLETED", JSON.stringify(run.error));
  assert.equal(run.attemptCount, 1);
  const output = run.output as { pid: number; nodeOptions: string | null };
  assert.doesNotMatch(output.nodeOptions ?? "", /offline/, "a task's own children are left alone");
  return output.pid;
}

describe("with processes that are kept alive", () => {
  it("the next run uses the same process", async () => {
    assert.equal(await pidOfNextRun(), await pidOfNextRun());
  });

  it("a cancel reaches the task in milliseconds, ends its process and no other", async () => {
    const idle = await pidOfNextRun();
    const { id } = await tasks.trigger("hangs", {});
    const pid = Number(await hasMetadata(id, "pid"));
    assert.equal(pid, idle);
    await runs.cancel(id);
    const run = await finished(id);
    assert.equal(run.status, "CANCELED");
    await log.refresh();
    const [asked] = log.of(id, "cancel requested");
    assert.ok(asked && Number(run.metadata?.signalled) - asked.at < 1_000);
    await waitUntil("the process is gone", () => !isAlive(pid));
    assert.notEqual(await pidOfNextRun(), pid);
  });

  it("a cancel that comes at any moment of a short run never hits the next one", async () => {
    for (let moment = 0; moment < 12; moment++) {
      const { id } = await tasks.trigger("works", { ms: 0 });
      await log.until("attempt started", { runId: id });
      // Not waiting for anything: these are the moments that are tried.
      await sleep(moment * 6);
      await runs.cancel(id);
      const [run] = await Promise.all([finished(id), pidOfNextRun(), pidOfNextRun()]);
      assert.ok(run.status === "CANCELED" || run.status === "COMPLETED");
      await log.refresh();
      assert.equal(log.of(id, "finished").length, 1);
    }
  });
});
