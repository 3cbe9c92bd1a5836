// `polaris-agent init` on projects that differ: what it changes, what it leaves and lists, that the
// result type-checks, that it refuses where it could lose work, that it can be taken back, that a second
// run does nothing, and that a later version upgrades what nobody has changed.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { common, type Files, odd, old, several } from "./init-fixtures.ts";
import { changed, checksTypes, commit, has, Migrations, mentions, read } from "./init-projects.ts";
import type { Project } from "./packed.ts";

let migrations: Migrations;

before(async () => {
  migrations = await Migrations.open();
});
after(async () => {
  await migrations?.close();
});

const checkout = (files: Files): Project => migrations.checkout(files);
const init = (app: Project, ...args: string[]) => migrations.init(app, ...args);

function matchesAll(text: string, patterns: readonly RegExp[]): void {
  for (const pattern of patterns) assert.match(text, pattern);
}

describe("init", () => {
  it("shows the diff, without values of env files, and changes nothing without a yes", () => {
    const app = checkout(common);
    const { stdout, status } = init(app);
    assert.equal(status, 1);
    matchesAll(stdout, [
      /^\+\+\+ b\/trigger\.config\.ts$/m,
      /^\+ {2}const event = await startMessage\(messageId\);$/m,
      /^-INNGEST_SIGNING_KEY=…$/m,
      /Nothing was changed/,
    ]);
    assert.doesNotMatch(stdout, /y-secret|a\.convex\.cloud/);
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

  it("refuses where there is no git, which could take it back", () => {
    const app = checkout(common);
    rmSync(join(app.path, ".git"), { recursive: true });
    const { stderr, status } = init(app, "--yes");
    assert.equal(status, 1);
    assert.match(stderr, /no git repository: git init and commit first/);
  });

  it("moves the common project over; nothing of Inngest is left", () => {
    const app = checkout(common);
    const { stdout, status } = init(app, "--yes");
    assert.equal(status, 0, stdout);
    matchesAll(read(app, "src/app/api/messages/route.ts"), [
      /await startMessage\(messageId\)/,
      /await cancelMessage\(body\.messageId\)/,
    ]);
    matchesAll(read(app, "trigger/tasks/process-message.ts"), [
      /MAX_ATTEMPTS = 2;/,
      /queue: \{ concurrencyLimit: 5 \}/,
      /tools: appTools,\n\s*prompts: \{ system: \{ text: appPrompt \} \},/,
      /maxSteps: 7, maxOutputTokens: 1500, temperature: 0\.3/,
    ]);
    assert.match(
      read(app, "trigger/init.ts"),
      /POLARIS_PRIMARY_MODEL: "anthropic\/claude-sonnet-4\.5"/,
    );
    for (const gone of ["src/inngest/client.ts", "src/app/api/inngest", "src/features/inngest"]) {
      assert.ok(!has(app, gone), gone);
    }
    const { dependencies, scripts } = JSON.parse(read(app, "package.json"));
    assert.equal(dependencies.inngest, undefined);
    assert.ok(dependencies["polaris-agent"] && dependencies["@trigger.dev/sdk"]);
    assert.deepEqual(scripts, {
      dev: "next dev",
      "dev:all": "concurrently npm:dev npm:dev:jobs",
      "dev:jobs": "trigger.dev dev",
    });
    assert.equal(
      read(app, ".env.local"),
      "NEXT_PUBLIC_CONVEX_URL=https://a.convex.cloud\nTRIGGER_SECRET_KEY=\nTRIGGER_PROJECT_REF=\n",
    );
    assert.match(read(app, "src/middleware.ts"), /isPublic = \["\/", "\/sign-in"\];/);
    matchesAll(read(app, "README.md"), [
      /use \[Trigger\.dev\]\(https:\/\/trigger\.dev\/docs\)\. Run `npx trigger\.dev dev` beside it/,
      /\| `TRIGGER_SECRET_KEY` \|/,
    ]);
    assert.match(read(app, "CLAUDE.md"), /run on Trigger\.dev \(`src\/lib\/polaris\.ts`\)/);
    assert.equal(read(app, "convex/schema.ts"), common["convex/schema.ts"]);
    assert.deepEqual(mentions(app), []);
    assert.match(stdout, /npx convex run polaris\/settle:messages/);
    checksTypes(app);
  });

  it("does nothing the second time", () => {
    for (const fixture of [common, old, several, odd]) {
      const app = checkout(fixture);
      assert.equal(init(app, "--yes").status, 0);
      commit(app);
      const { stdout, status } = init(app, "--yes");
      assert.equal(status, 0);
      assert.match(stdout, /Nothing to change/);
      assert.equal(changed(app), "");
    }
  });

  it("brings a poor schema up to date, moves what stood in folders of Inngest, and goes on with the app's tools, model and numbers", () => {
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
    assert.ok(has(app, "backend/convex/polaris/system.ts"));
    assert.match(
      read(app, "trigger/tasks/process-message.ts"),
      /maxSteps: 12, maxOutputTokens: 3_000, temperature: 0\.1/,
    );
    matchesAll(read(app, "trigger/init.ts"), [
      /POLARIS_PRIMARY_MODEL: "claude-opus-4-20250514"/,
      /POLARIS_PRIMARY_BASE_URL: "https:\/\/api\.anthropic\.com\/v1"/,
      /POLARIS_PRIMARY_PROTOCOL: "anthropic"/,
      /POLARIS_PRIMARY_API_KEY \|\|= process\.env\.ANTHROPIC_API_KEY/,
    ]);
    assert.match(
      read(app, "features/jobs/tools/orders.ts"),
      /import \{ createTool \} from "\.\.\/\.\.\/\.\.\/trigger\/ported-tools";/,
    );
    matchesAll(stdout, [
      /the prompt is added to on line \d+/,
      /another model, claude-3-5-haiku-20241022, is asked for something else/,
      /onFailure of process-message is not carried over/,
    ]);
    assert.equal(
      JSON.parse(read(app, "package.json")).scripts.dev,
      'concurrently "next dev" "trigger.dev dev"',
    );
    assert.deepEqual(mentions(app), []);
    checksTypes(app);
  });

  it("stops before removing what other functions need, and lists each with its recipe", () => {
    const app = checkout(several);
    const { stdout, status } = init(app, "--yes");
    assert.equal(status, 0, stdout);
    matchesAll(stdout, [
      /daily-digest \(src\/features\/jobs\/more\.ts\): a scheduled task: .*cron: "0 8 \* \* \*"/,
      /export-repo \(.*\): a task: .*"repo\/export" is sent, tasks\.trigger/,
      /process-message gets no events any more/,
    ]);
    assert.equal(read(app, "src/inngest/client.ts"), several["src/inngest/client.ts"]);
    assert.ok(JSON.parse(read(app, "package.json")).dependencies.inngest);
    assert.match(read(app, ".env.local"), /INNGEST_EVENT_KEY=x/);
    assert.match(read(app, "src/app/api/messages/route.ts"), /startMessage\(messageId\)/);
    assert.match(read(app, "trigger/init.ts"), /POLARIS_PRIMARY_MODEL: "openai\/gpt-5-mini"/);
    assert.match(
      read(app, "convex/schema.ts"),
      /v\.literal\("cancelled"\), v\.literal\("failed"\)/,
    );
    checksTypes(app);
  });

  it("leaves what it does not recognise, lists it, and takes what it can", () => {
    const app = checkout(odd);
    const { stdout, status } = init(app, "--yes");
    assert.equal(status, 0, stdout);
    matchesAll(stdout, [
      /convex\/schema\.ts: no messages table/,
      /the system prompt is promptFor\(user\): it uses user, which exists only while the function runs/,
      /the model is modelFor\(user\); set POLARIS_PRIMARY_MODEL/,
    ]);
    assert.equal(read(app, "convex/schema.ts"), odd["convex/schema.ts"]);
    // Its own config goes on, with one more extension, and its tasks stay where it has them.
    matchesAll(read(app, "trigger.config.ts"), [
      /project: "proj_own", maxDuration: 60, dirs: \["\.\/src\/jobs"\]/,
      /build: \{ extensions: \[polarisAgent\(\)\] \}/,
    ]);
    assert.match(read(app, "src/jobs/tasks/process-message.ts"), /maxSteps: appMaxSteps/);
    assert.match(read(app, "src/jobs/carried.ts"), /appMaxSteps = limits\.steps \+ EXTRA;/);
  });

  it("upgrades files of an earlier version that nobody has changed, and only those", () => {
    const app = checkout(common);
    assert.equal(init(app, "--yes").status, 0);
    const [line = "", ...rest] = read(app, "trigger/run.ts").split("\n");
    const earlier = earlierVersion("export const old = 1;\n");
    app.write("trigger/run.ts", earlier);
    // Formatted by the project's own formatter: still untouched.
    app.write("trigger/child.ts", read(app, "trigger/child.ts").replaceAll('"', "'"));
    app.write("src/lib/polaris.ts", `${read(app, "src/lib/polaris.ts")}\nexport const mine = 1;\n`);
    commit(app);
    const { stdout, status } = init(app, "--yes");
    assert.equal(status, 0, stdout);
    assert.equal(read(app, "trigger/run.ts"), [line, ...rest].join("\n"));
    assert.match(
      stdout,
      /src\/lib\/polaris\.ts: was changed since it was added, so it is not upgraded/,
    );
    assert.deepEqual(changed(app).trim().split("\n"), ["M trigger/run.ts"]);
  });

  it("is taken back by --undo, files that git does not know too", () => {
    const app = checkout(common);
    assert.equal(init(app, "--yes").status, 0);
    const { status, stdout } = init(app, "--undo");
    assert.equal(status, 0, stdout);
    assert.equal(changed(app), "");
    assert.equal(read(app, ".env.local"), common[".env.local"]);
    assert.ok(!has(app, "trigger"), "no empty folder is left");
    assert.equal(init(app, "--undo").status, 1);
  });

  it("does not take back what somebody has changed since", () => {
    const app = checkout(common);
    assert.equal(init(app, "--yes").status, 0);
    app.write("trigger/init.ts", "// mine\n");
    const { status, stderr } = init(app, "--undo");
    assert.equal(status, 1);
    assert.match(stderr, /were changed since[\s\S]*trigger\/init\.ts/);
    assert.equal(read(app, "trigger/init.ts"), "// mine\n");
  });

  it("that was interrupted is noticed, says how to go on, and is undone from any point", () => {
    const app = checkout(common);
    assert.equal(init(app, "--yes").status, 0);
    const file = ".polaris/init/changes.json";
    const state = JSON.parse(read(app, file));
    // As a kill behind the fifth file leaves it.
    for (const { path, before } of state.changes.slice(5)) {
      if (before === null) rmSync(join(app.path, path), { force: true });
      else app.write(path, before);
    }
    writeFileSync(join(app.path, file), JSON.stringify({ ...state, state: "applying" }));
    const { stderr, status } = init(app, "--yes");
    assert.equal(status, 1);
    assert.match(stderr, /did not finish: 5 of \d+ files are changed[\s\S]*init --undo/);
    assert.equal(init(app, "--undo").status, 0);
    assert.equal(changed(app), "");
    assert.equal(init(app, "--yes").status, 0);
    checksTypes(app);
  });

  it("says what kind of project it is for, and what its options are", () => {
    const app = checkout({ "package.json": "{}" });
    const { stderr, status } = init(app, "--yes");
    assert.equal(status, 1);
    assert.match(stderr, /no Convex functions in/);
    const broken = init(checkout({ "package.json": "{" }), "--yes");
    assert.equal(broken.status, 1);
    assert.match(broken.stderr, /package\.json is not JSON: /);
    const unknown = init(app, "--force");
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /--force[\s\S]*--undo/);
  });
});

/** What an earlier version would have written: its own text under its own line. */
function earlierVersion(text: string): string {
  const bare = text.replace(/[\s"'`,;()]/g, "");
  const digest = createHash("sha256").update(bare).digest("hex").slice(0, 16);
  return `// polaris-agent 0.0.9 ${digest}: as the package has it.\n${text}`;
}
