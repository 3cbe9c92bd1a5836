// The commands of the README that a person types first, as they type them. What each prints is for people;
// here counts that it works, ends by itself or by Ctrl-C, and leaves nothing running.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, describe, it } from "node:test";
import { command, ROOT } from "./packed.ts";

const env = { ...process.env, NO_COLOR: "1" };
const npm = (...args: string[]) => command("npm", args, { cwd: ROOT, env });

let started: ChildProcess | undefined;
after(() => {
  if (started !== undefined) interrupt(started);
});

function interrupt({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid, "SIGINT");
}

/** `npm start` until it says that all is ready; the address of the app. */
async function start(...flags: string[]): Promise<string> {
  const args = ["start", ...(flags.length > 0 ? ["--", ...flags] : [])];
  // In a group of its own, since Ctrl-C reaches all that a terminal runs, not npm alone.
  const child = spawn("npm", args, {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  started = child;
  const said: string[] = [];
  return await new Promise((settle, fail) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        said.push(line);
        const url = /^Ready: (\S+?)\.? In another terminal/.exec(line)?.[1];
        if (url !== undefined) settle(url);
      });
    }
    child.once("exit", (code) => fail(new Error(`it ended with ${code}\n${said.join("\n")}`)));
  });
}

/** Ctrl-C. npm ends by the signal itself, whatever its script ends with. */
async function stop(): Promise<void> {
  const child = started;
  assert.ok(child);
  const ended = once(child, "exit");
  interrupt(child);
  started = undefined;
  const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null];
  assert.ok(code === 0 || signal === "SIGINT", `it ended with ${code ?? signal}`);
}

describe("the commands of the README", () => {
  it("npm run demo shows all its parts, and all hold", async () => {
    const { code, stdout, output } = await npm("run", "-s", "demo", "--", "--json");
    assert.equal(code, 0, output);
    const shown = JSON.parse(stdout) as Record<string, { status?: string }>;
    assert.equal(shown.message?.status, "completed");
    assert.equal(shown.cancel?.status, "cancelled");
    assert.equal(shown.generate?.status, "completed");
  });

  it("npm run demo -- --only generate shows that part alone", async () => {
    const { code, output } = await npm("run", "demo", "--", "--only", "generate");
    assert.equal(code, 0, output);
    assert.match(output, /ok {4} {2}generate/);
    assert.doesNotMatch(output, /ok {4} {2}message/);
  });

  it("npm run say answers without anything running", async () => {
    const { code, stdout, output } = await npm("run", "-s", "say", "--", "add a dark mode toggle");
    assert.equal(code, 0, output);
    assert.ok(stdout.trim().length > 20, output);
  });

  // It would use the services that are named there.
  const settings = existsSync(join(ROOT, ".env.local")) ? "there is an .env.local" : false;
  it("npm start serves the app, say talks to it, Ctrl-C ends it", { skip: settings }, async () => {
    const url = await start();
    assert.equal((await fetch(url)).status, 200);
    const said = await npm("run", "-s", "say", "--", "hello");
    assert.equal(said.code, 0, said.output);
    await stop();
    await assert.rejects(fetch(url));
  });

  it("npm start -- --dev serves it with hot reload", { skip: settings }, async () => {
    const state = mkdtempSync(join(tmpdir(), "polaris-state-"));
    try {
      const url = await start("--dev", "--port", "0", "--state", state);
      assert.equal((await fetch(url)).status, 200);
      await stop();
      await assert.rejects(fetch(url));
    } finally {
      rmSync(state, { recursive: true, force: true });
    }
  });
});
