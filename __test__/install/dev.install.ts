// `polaris-agent dev` in a Trigger.dev project that knows nothing of this one: the tasks of Trigger.dev's
// own beginning run, are retried and are cancelled, with no account and an empty home; and Ctrl-C, or
// the death of the terminal, leaves nothing behind.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TriggerClient } from "@trigger.dev/sdk";
import {
  bareEnv,
  command,
  FRESH,
  installShared,
  ourRegistry,
  type Project,
  project,
} from "./packed.ts";
import type { Registry } from "./registry.ts";

const WAIT_MS = 60_000;

interface Facts {
  controlPlane: { url: string; secretKey: string };
  convex?: { url: string; internalKey: string };
  worker: { tasks: string[] };
  variables: Record<string, string>;
}

let registry: Registry;
let app: Project;
let running: { child: ChildProcess; facts: Facts } | undefined;

before(async () => {
  registry = await ourRegistry({ all: true });
  app = project({ name: "hello", type: "module" });
  app.write(
    "trigger.config.ts",
    `import { defineConfig } from "@trigger.dev/sdk";
     export default defineConfig({
       project: "proj_of_somebody", runtime: "node", logLevel: "log", maxDuration: 3600,
       retries: { enabledInDev: true, default: { maxAttempts: 3, minTimeoutInMs: 1000, maxTimeoutInMs: 1000, factor: 1 } },
       dirs: ["./src/trigger"],
     });`,
  );
  app.write(
    "src/trigger/example.ts",
    `import { logger, task, wait } from "@trigger.dev/sdk";
     export const helloWorldTask = task({
       id: "hello-world",
       run: async (payload: { seconds?: number }, { ctx }) => {
         logger.log("Hello, world!", { payload, ctx });
         if (payload.seconds) await wait.for({ seconds: payload.seconds });
         return { message: "Hello, world!" };
       },
     });
     export const flaky = task({
       id: "flaky",
       run: async (_: unknown, { ctx }) => {
         if (ctx.attempt.number < 2) throw new Error("not yet");
         return { attempt: ctx.attempt.number };
       },
     });
     export const endless = task({
       id: "endless",
       run: async (_: unknown, { signal }) => {
         await new Promise((resolve) => signal.addEventListener("abort", resolve));
       },
     });
     export const store = task({ id: "store", run: async () => {
       const answer = await fetch(process.env.CONVEX_URL + "/api/query", { method: "POST",
         headers: { "content-type": "application/json" },
         body: JSON.stringify({ path: "greetings:hello", args: { name: "you" }, format: "json" }) });
       return (await answer.json()).value;
     } });`,
  );
  app.write(
    "convex/greetings.ts",
    `import { queryGeneric } from "convex/server";
     import { v } from "convex/values";
     export const hello = queryGeneric({ args: { name: v.string() }, handler: async (_, { name }) => "hello " + name });`,
  );
  await installShared(app, registry, FRESH);
});
after(async () => {
  if (running !== undefined) running.child.kill("SIGTERM");
  await registry?.close();
  app?.remove();
});

/** `npx polaris-agent dev --json`, until it says that all runs. */
async function start(): Promise<{ child: ChildProcess; facts: Facts }> {
  const home = join(app.path, "home");
  const program = join(app.path, "node_modules/polaris-agent/npm/dist/cli.mjs");
  const child = spawn(process.execPath, [program, "dev", "--json"], {
    cwd: app.path,
    env: bareEnv(home),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const facts = await new Promise<Facts>((settle, fail) => {
    createInterface({ input: child.stdout }).once("line", (line) => settle(JSON.parse(line)));
    child.once("exit", (code) =>
      fail(new Error(`ended with ${code} before it was ready\n${errors}`)),
    );
  });
  return { child, facts };
}

async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const limit = Date.now() + WAIT_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > limit) throw new Error(`waited in vain: ${what}`);
    await sleep(50);
  }
}

function client(): TriggerClient {
  assert.ok(running);
  const { url: baseURL, secretKey: accessToken } = running.facts.controlPlane;
  return new TriggerClient({ baseURL, accessToken });
}

async function ended(id: string) {
  return await until(`the end of ${id}`, async () => {
    const run = await client().runs.retrieve(id);
    return run.isCompleted ? run : undefined;
  });
}

async function trigger(task: string, payload: unknown = {}): Promise<string> {
  const { id } = await client().tasks.trigger(task, payload);
  return id;
}

/** Processes that stand in the project's folder or were started from it. */
function ofProject(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(app.path);
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe("polaris-agent dev", () => {
  it("says what is missing where there is no project", async () => {
    const empty = project();
    try {
      const program = join(app.path, "node_modules/polaris-agent-local/dist/project/main.js");
      const { code, output } = await command(process.execPath, [program], {
        cwd: empty.path,
        env: bareEnv(empty.path),
      });
      assert.equal(code, 2);
      assert.match(output, /there is no trigger\.config\.ts in .*trigger\.dev@latest init/);
    } finally {
      empty.remove();
    }
  });

  it("brings up the project's tasks and says how to trigger them", async () => {
    running = await start();
    const { worker, variables, convex } = running.facts;
    assert.deepEqual(worker.tasks.toSorted(), ["endless", "flaky", "hello-world", "store"]);
    assert.match(variables.TRIGGER_SECRET_KEY ?? "", /^tr_dev_/);
    assert.ok(convex?.url.startsWith("http://127.0.0.1:"));
  });

  it("runs hello-world", async () => {
    const run = await ended(await trigger("hello-world"));
    assert.equal(run.status, "COMPLETED");
    assert.deepEqual(run.output, { message: "Hello, world!" });
  });

  it("retries a task that failed", async () => {
    const run = await ended(await trigger("flaky"));
    assert.equal(run.status, "COMPLETED");
    assert.deepEqual(run.output, { attempt: 2 });
  });

  it("cancels a run", async () => {
    const id = await trigger("endless");
    await until("it executes", async () =>
      (await client().runs.retrieve(id)).status === "EXECUTING" ? true : undefined,
    );
    await client().runs.cancel(id);
    assert.equal((await ended(id)).status, "CANCELED");
  });

  it("serves the project's Convex functions to its tasks", async () => {
    const run = await ended(await trigger("store"));
    assert.equal(run.output, "hello you");
  });

  it("keeps what it knows in a folder that git does not see", () => {
    assert.equal(readFileSync(join(app.path, ".polaris/dev/.gitignore"), "utf8"), "*\n");
    assert.ok(existsSync(join(app.path, ".polaris/dev/control-plane")));
  });

  const linux = process.platform === "linux" ? false : "looks into /proc";
  it("ends with everything that it started, also when it is killed", { skip: linux }, async () => {
    assert.ok(running);
    running.child.kill("SIGINT");
    await until("all processes are gone", () => (ofProject().length === 0 ? true : undefined));
    running = await start();
    running.child.kill("SIGKILL");
    await until("all processes are gone", () => (ofProject().length === 0 ? true : undefined));
    running = undefined;
  });
});
