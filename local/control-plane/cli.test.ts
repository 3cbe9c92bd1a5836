// The life of the official CLI as we start it: it ends with everything it started, however it ends,
// and the runs that it had in hand become final.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { tasks } from "@trigger.dev/sdk";
import type { Cli } from "./cli.ts";
import {
  EventLog,
  FIXTURES,
  finished,
  groupMembers,
  hasMetadata,
  isAlive,
  scratchFolder,
  startFixtureCli,
  useSdk,
  waitUntil,
} from "./fixtures/harness.ts";
import { type ControlPlane, startControlPlane } from "./index.ts";

const folder = scratchFolder();
let plane: ControlPlane;
let log: EventLog;

before(async () => {
  plane = await startControlPlane({ state: folder.path, lostAfterMs: 4_000 });
  useSdk(plane);
  log = new EventLog(plane);
});

after(async () => {
  await plane?.close();
  folder.remove();
});

const home = `${folder.path}/home`;

describe("the CLI", () => {
  let second: Cli;

  it("closes with all its processes, its runs are final, and another branch is not disturbed", async () => {
    const [first, other] = await Promise.all([
      startFixtureCli(plane, { branch: "first", home }),
      startFixtureCli(plane, { branch: "second", home }),
    ]);
    second = other;
    assert.ok(first.worker.tasks.includes("hello"));
    useSdk(plane, "first");
    const { id } = await tasks.trigger("hangs", {});
    const pid = Number(await hasMetadata(id, "pid"));
    assert.ok(groupMembers(first.pid).includes(pid));
    const watchdog = first.watchdogPid();
    assert.ok(watchdog && isAlive(watchdog));
    await first.close();
    assert.deepEqual(groupMembers(first.pid), []);
    assert.equal(isAlive(watchdog), false);
    assert.equal((await finished(id)).status, "CANCELED");
    await first.close();
    useSdk(plane, "second");
    assert.equal((await finished((await tasks.trigger("hello", {})).id)).status, "COMPLETED");
  });

  it("that is killed takes its workers with it, and its watchdog ends its runs", async () => {
    const { id } = await tasks.trigger("spins", { ms: 60_000 });
    const pid = Number(await hasMetadata(id, "pid"));
    await second.kill("SIGKILL");
    const run = await finished(id, 10_000);
    assert.equal(run.status, "CANCELED");
    await waitUntil("its processes are gone", () => groupMembers(second.pid).length === 0, 5_000);
    assert.equal(isAlive(pid), false);
    await log.until("disconnected", { nth: 2 });
    await second.close();
    assert.equal(second.watchdogPid(), undefined);
    useSdk(plane);
  });

  it("that is killed with its watchdog: its runs are found and ended", async () => {
    const cli = await startFixtureCli(plane, { branch: "lost", home });
    const { id } = await tasks.trigger("works", { ms: 60_000 });
    await hasMetadata(id, "started");
    const watchdog = cli.watchdogPid();
    assert.ok(watchdog);
    process.kill(watchdog, "SIGKILL");
    await cli.kill("SIGKILL");
    const run = await finished(id, 15_000);
    assert.equal(run.status, "CANCELED");
    await log.until("worker lost", { runId: id });
    await cli.close();
  });

  it("dies with the process that started it, even with a worker whose thread is busy", async () => {
    const parent = spawnParent("orphan");
    const { pid, watchdog } = await firstLine(parent);
    const { id } = await tasks.trigger("spins", { ms: 60_000 });
    const worker = Number(await hasMetadata(id, "pid"));
    assert.ok(groupMembers(pid).includes(worker));
    parent.kill("SIGKILL");
    await waitUntil("its processes are gone", () => groupMembers(pid).length === 0, 5_000);
    await waitUntil("its watchdog is gone", () => watchdog === null || !isAlive(watchdog), 15_000);
    assert.equal((await finished(id)).status, "CANCELED");
  });

  it("does not wait for the internet", () => {
    const preload = new URL("./offline.mjs", import.meta.url).href;
    const ask = `fetch("https://jsonhero.io/j/GU7CwoDOL40k.json")
      .then(async (r) => console.log(await r.text(), process.env.NODE_OPTIONS ?? "none"))`;
    const { stdout } = spawnSync(process.execPath, ["-e", ask], {
      env: { ...process.env, NODE_OPTIONS: `--import=${preload}` },
      encoding: "utf8",
    });
    assert.equal(stdout.trim(), '{"externals":[]} none');
  });

  it("says why when it cannot start", async () => {
    const broken = { ...plane, accessToken: "tr_pat_wrong" };
    await assert.rejects(
      startFixtureCli(broken, { branch: "broken", home, readyTimeoutMs: 30_000 }),
      /ended before it was ready[\s\S]*(Invalid|login|API Key)/i,
    );
  });
});

describe("a worker that falls silent", () => {
  it("is a stalled run, which ends as officially; while heartbeats come no run is", async () => {
    const other = scratchFolder();
    const impatient = await startControlPlane({
      state: other.path,
      // Longer than a loaded machine takes to start a worker, which beats only then.
      timeouts: { executing: 6_000 },
    });
    useSdk(impatient);
    const env = { HEARTBEAT_INTERVAL_MS: "300" };
    const cli = await startFixtureCli(impatient, { branch: "stall", home, env });
    try {
      const blocked = await tasks.trigger("spins", { ms: 60_000 });
      const alive = await tasks.trigger("works", { ms: 9_000 });
      const stalled = await finished(blocked.id, 30_000);
      assert.equal(stalled.status, "CANCELED");
      assert.equal(stalled.isCompleted, true);
      await new EventLog(impatient).until("stalled", { runId: blocked.id });
      const pid = Number(stalled.metadata?.pid);
      await waitUntil("the CLI has ended its process", () => !isAlive(pid), 15_000);
      assert.equal((await finished(alive.id)).status, "COMPLETED");
    } finally {
      await cli.close();
      await impatient.close();
      other.remove();
    }
  });
});

function spawnParent(branch: string): ChildProcess {
  const { url, secretKey, accessToken, projectRef, adminKey } = plane;
  const controlPlane = { url, secretKey, accessToken, projectRef, adminKey };
  const script = fileURLToPath(new URL("./fixtures/starts-cli.ts", import.meta.url));
  const options = JSON.stringify({ cwd: FIXTURES, home, branch, controlPlane });
  const tsx = import.meta.resolve("tsx");
  return spawn(process.execPath, ["--import", tsx, script, options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function firstLine(child: ChildProcess): Promise<{ pid: number; watchdog: number | null }> {
  const [chunk] = (await once(child.stdout ?? child, "data")) as [Buffer];
  return JSON.parse(chunk.toString()) as { pid: number; watchdog: number | null };
}
