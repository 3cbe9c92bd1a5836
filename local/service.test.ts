import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import {
  filteredEnv,
  installationKey,
  parseServiceFlags,
  spawnMain,
  spawnService,
} from "./service.ts";

const here = import.meta.dirname;

/** Settles when no process with this id is left. */
async function gone(pid: number): Promise<void> {
  const until = Date.now() + 10_000;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    assert.ok(Date.now() < until, `process ${pid} is still there`);
    await new Promise((settle) => setTimeout(settle, 20));
  }
}

describe("a service in its own process", () => {
  it("is ready when it says so, and ends when it is closed", async () => {
    const service = await spawnService("sentry");
    assert.equal(service.info.service, "sentry");
    assert.match(String(service.info.dsn), /^http:\/\/polaris@127\.0\.0\.1:\d+\/1$/);
    assert.equal((await fetch(service.url)).status, 200);
    await Promise.all([service.close(), service.close()]);
    assert.deepEqual(await service.exited, { code: 0, signal: null });
    await service.close();
  });

  it("can be killed", async () => {
    const service = await spawnService("sentry");
    assert.equal((await service.kill()).signal, "SIGKILL");
    await service.close();
  });

  it("that dies before it is ready gives its last words", async () => {
    await assert.rejects(
      spawnService("sentry", { args: ["--port", "70000"] }),
      /sentry ended before it was ready \(exit code 1\)[\s\S]*--port takes a number/,
    );
    await assert.rejects(
      spawnMain("nothing", resolve(here, "no-such-file.ts")),
      /nothing ended before it was ready/,
    );
  });

  it("ends when its parent is killed without a chance to clean up", async () => {
    const parent = spawn(
      process.execPath,
      ["--import", "tsx", resolve(here, "fixtures/parent.ts")],
      { cwd: resolve(here, ".."), stdio: ["ignore", "pipe", "inherit"] },
    );
    const pid = await new Promise<number>((settle) => {
      createInterface({ input: parent.stdout }).once("line", (line) => settle(Number(line)));
    });
    parent.kill("SIGKILL");
    await gone(pid);
  });

  it("sees neither product variables nor secrets of its parent", () => {
    const env = filteredEnv(
      { POLARIS_MODEL_PACE: "0", PATH: undefined },
      {
        PATH: "/bin",
        HOME: "/home/x",
        OPENROUTER_API_KEY: "k",
        POLARIS_CONVEX_INTERNAL_KEY: "k",
        GITHUB_TOKEN: "t",
        SENTRY_DSN: "d",
        NODE_TEST_CONTEXT: "child-v8",
        SSH_AUTH_SOCK: "/tmp/s",
      },
    );
    assert.deepEqual(env, { HOME: "/home/x", SSH_AUTH_SOCK: "/tmp/s", POLARIS_MODEL_PACE: "0" });
  });
});

describe("the command line of a service", () => {
  it("knows port, state and the service's own flags", () => {
    const parsed = parseServiceFlags([
      "--port",
      "0",
      "--state=x",
      "--fast",
      "--name",
      "n",
      "--parent-stdin",
    ]);
    assert.deepEqual(parsed, {
      port: 0,
      state: resolve("x"),
      flags: { fast: "true", name: "n" },
      parentStdin: true,
    });
    assert.throws(() => parseServiceFlags(["stray"]), /unexpected argument: stray/);
  });
});

describe("an installation key", () => {
  it("stays the same in one state folder and differs between two", async () => {
    const state = await mkdtemp(join(tmpdir(), "polaris-key-"));
    try {
      const [a, b] = await Promise.all([installationKey(state, "k"), installationKey(state, "k")]);
      assert.equal(a, b);
      assert.notEqual(a, await installationKey(state, "other"));
      assert.notEqual(a, await installationKey(undefined, "k"));
    } finally {
      await rm(state, { recursive: true });
    }
  });
});
