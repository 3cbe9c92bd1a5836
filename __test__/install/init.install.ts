// `polaris-agent init` on projects that differ: what it changes, what it leaves and lists, that the
// result type-checks, that it refuses where it could lose work, and that a second run does nothing.

import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { common, type Files, odd, old, PROMPT, several } from "./init-fixtures.ts";
import {
  bareEnv,
  FRESH,
  installShared,
  ourRegistry,
  type Project,
  project,
  ROOT,
  tsc,
} from "./packed.ts";
import type { Registry } from "./registry.ts";

let registry: Registry;
let installed: Project;
const made: Project[] = [];

before(async () => {
  registry = await ourRegistry({ all: true });
  installed = project({ type: "module" });
  await installShared(installed, registry, FRESH);
  // The compiler and the types that such a project has.
  for (const name of ["typescript", "@types/node"]) {
    const link = join(installed.path, "node_modules", name);
    mkdirSync(join(link, ".."), { recursive: true });
    if (!existsSync(link)) symlinkSync(join(ROOT, "node_modules", name), link);
  }
});
after(async () => {
  await registry?.close();
  for (const each of [...made, installed]) each?.remove();
});

/** A fixture in a git repository, with its packages; committed. */
function checkout(files: Files): Project {
  const app = project();
  made.push(app);
  for (const [path, text] of Object.entries(files)) app.write(path, text);
  symlinkSync(join(installed.path, "node_modules"), join(app.path, "node_modules"));
  git(app, "init", "-q");
  commit(app);
  return app;
}

function git({ path }: Project, ...args: string[]): SpawnSyncReturns<string> {
  const result = spawnSync("git", args, { cwd: path, encoding: "utf8" });
  assert.equal(result.status, 0, result.stderr);
  return result;
}

function commit(app: Project): void {
  git(app, "add", "-A", "-f", "--", ".", ":!node_modules");
  git(app, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "state");
}

function init(app: Project, ...args: string[]): SpawnSyncReturns<string> {
  const program = join(installed.path, "node_modules/polaris-agent/npm/dist/cli.mjs");
  return spawnSync(process.execPath, [program, "init", ...args], {
    cwd: app.path,
    env: bareEnv(app.path),
    encoding: "utf8",
    input: "",
  });
}

const read = ({ path }: Project, file: string) => readFileSync(join(path, file), "utf8");
const changed = (app: Project) => git(app, "status", "--porcelain", "-uall").stdout;

function checksTypes(app: Project): void {
  const { status, stdout } = tsc(app.path, ["-p", "tsconfig.json", "--preserveSymlinks", "false"]);
  assert.equal(status, 0, stdout);
}

async function promptOf(app: Project): Promise<string> {
  const text = read(app, "trigger/prompts.ts");
  const file = app.write("prompt-check.mjs", text);
  const { SYSTEM_PROMPT } = (await import(pathToFileURL(file).href)) as { SYSTEM_PROMPT: string };
  return SYSTEM_PROMPT;
}

describe("init", () => {
  it("shows the diff and changes nothing without a yes", () => {
    const app = checkout(common);
    const { stdout, status } = init(app);
    assert.equal(status, 1);
    assert.match(stdout, /^\+\+\+ b\/trigger\.config\.ts$/m);
    assert.match(stdout, /^\+ {2}const event = await startMessage\(messageId\);$/m);
    assert.match(stdout, /Nothing was changed/);
    assert.equal(changed(app), "");
  });

  it("refuses in a tree with uncommitted changes, and says which", () => {
    const app = checkout(common);
    app.write("mine.txt", "work");
    const { stderr, status } = init(app, "--yes");
    assert.equal(status, 1);
    assert.match(stderr, /not clean[\s\S]*mine\.txt/);
    assert.equal(changed(app).trim(), "?? mine.txt");
  });

  it("moves the common project over: routes, tasks, prompt, numbers, settings; nothing of Inngest is left", async () => {
    const app = checkout(common);
    const { stdout, status } = init(app, "--yes");
    assert.equal(status, 0, stdout);
    const route = read(app, "src/app/api/messages/route.ts");
    assert.match(route, /await startMessage\(messageId\)/);
    assert.match(route, /await cancelMessage\(body\.messageId\)/);
    const task = read(app, "trigger/tasks/process-message.ts");
    assert.match(task, /maxSteps: 7, maxOutputTokens: 1500, temperature: 0\.3/);
    assert.match(task, /system: \{ text: SYSTEM_PROMPT \}/);
    for (const gone of ["src/inngest/client.ts", "src/app/api/inngest/route.ts"]) {
      assert.ok(!existsSync(join(app.path, gone)), gone);
    }
    const { dependencies, scripts } = JSON.parse(read(app, "package.json"));
    assert.equal(dependencies.inngest, undefined);
    assert.equal(scripts.inngest, undefined);
    assert.ok(dependencies["polaris-agent"] && dependencies["@trigger.dev/sdk"]);
    const env = read(app, ".env.local");
    assert.doesNotMatch(env, /INNGEST_/);
    assert.match(env, /^TRIGGER_SECRET_KEY=$/m);
    assert.match(env, /^POLARIS_CONVEX_MODULE=polaris\/system$/m);
    assert.equal(read(app, "convex/schema.ts"), common["convex/schema.ts"]);
    const mentions = git(
      app,
      "grep",
      "-il",
      "--untracked",
      "inngest",
      "--",
      ".",
      ":!node_modules",
    ).stdout;
    assert.equal(mentions.trim(), "README.md", "what is left is listed");
    assert.match(stdout, /README\.md:3: mentions Inngest/);
    checksTypes(app);
    assert.equal(await promptOf(app), PROMPT);
  });

  it("does nothing the second time", () => {
    const app = checkout(common);
    assert.equal(init(app, "--yes").status, 0);
    commit(app);
    const { stdout, status } = init(app, "--yes");
    assert.equal(status, 0);
    assert.match(stdout, /Nothing to change/);
    assert.equal(changed(app), "");
  });

  it("brings a poor schema in another folder up to date, and finds a prompt in another file", async () => {
    const app = checkout(old);
    const { stdout, status } = init(app, "--yes");
    assert.equal(status, 0, stdout);
    const schema = read(app, "backend/convex/schema.ts");
    for (const part of [
      'v.literal("completed"), v.literal("cancelled"), v.literal("failed")',
      "triggerRunId:",
      "toolCalls:",
      "generationEvents:",
      '"by_project_status"',
    ]) {
      assert.ok(schema.includes(part), `${part}\n${schema}`);
    }
    assert.ok(existsSync(join(app.path, "backend/convex/polaris/system.ts")));
    assert.match(read(app, "trigger/tasks/process-message.ts"), /maxOutputTokens: 3_000/);
    checksTypes(app);
    assert.equal(await promptOf(app), PROMPT);
  });

  it("stops before removing what other functions need, and lists each with its recipe", () => {
    const app = checkout(several);
    const { stdout, status } = init(app, "--yes");
    assert.equal(status, 0, stdout);
    assert.match(
      stdout,
      /daily-digest \(src\/features\/inngest\/more\.ts\): a scheduled task: .*cron: "0 8 \* \* \*"/,
    );
    assert.match(stdout, /export-repo \(.*\): a task: .*"repo\/export" is sent, tasks\.trigger/);
    assert.equal(read(app, "src/inngest/client.ts"), several["src/inngest/client.ts"]);
    assert.ok(JSON.parse(read(app, "package.json")).dependencies.inngest);
    assert.match(read(app, ".env.local"), /INNGEST_EVENT_KEY=x/);
    assert.match(read(app, "src/app/api/messages/route.ts"), /startMessage\(messageId\)/);
  });

  it("leaves what it does not recognise, and lists it", () => {
    const app = checkout(odd);
    const { stdout, status } = init(app, "--yes");
    assert.equal(status, 0, stdout);
    for (const line of [
      /trigger\.config\.ts: add polarisAgent\(\)/,
      /convex\/schema\.ts: no messages table/,
      /process-message\.ts: the system prompt is promptFor\(new Date\(\)\)/,
      /process-message\.ts: maxSteps is STEPS/,
    ]) {
      assert.match(stdout, line);
    }
    assert.equal(read(app, "trigger.config.ts"), odd["trigger.config.ts"]);
    assert.equal(read(app, "convex/schema.ts"), odd["convex/schema.ts"]);
  });

  it("that was interrupted is noticed, and how to begin again is said", () => {
    const app = checkout(common);
    mkdirSync(join(app.path, ".polaris"));
    writeFileSync(join(app.path, ".polaris/init.json"), '{"paths":["trigger/run.ts"]}');
    const { stderr, status } = init(app, "--yes");
    assert.equal(status, 1);
    assert.match(
      stderr,
      /an earlier init did not finish[\s\S]*git checkout -- \. && git clean -fd "trigger\/run\.ts"/,
    );
  });

  it("says what kind of project it is for", () => {
    const app = checkout({ "package.json": "{}" });
    const { stderr, status } = init(app, "--yes");
    assert.equal(status, 1);
    assert.match(stderr, /no Convex functions in/);
  });
});
