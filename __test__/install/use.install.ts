// The packed files as a user has them: installed by name into an empty project with scripts off and no
// Rust on the machine, on the oldest Node that is allowed and the later lines, both kinds of modules,
// with the types.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type ModelServer, startModelServer } from "../addon/model-server.ts";
import {
  bareEnv,
  command,
  install,
  NODES,
  ourRegistry,
  type Project,
  packed,
  project,
  tsc,
} from "./packed.ts";
import type { Registry } from "./registry.ts";

const USE = `
const run = startRun({ job: "agent", payload: { messages: [{ role: "user", content: "hello" }] } });
const events = [];
for await (const event of run.events()) events.push(event.type);
const { text } = await run.result();
let refused;
try { await startRun({ job: "agent", payload: {} }).result(); } catch (error) { refused = error; }
console.log(JSON.stringify({
  node: process.versions.node.split(".")[0], text, streamed: events.includes("text"),
  refused: [refused instanceof PolarisError, refused?.code],
  extension: polarisAgent().externalsForTarget("dev"),
}));
`;

const TYPES = `
const run = startRun({ job: "agent", payload: { messages: [{ role: "user", content: "hi" }] } });
export async function texts(): Promise<string[]> {
  const all: string[] = [];
  for await (const event of run.events()) if (event.type === "text") all.push(event.text);
  return all;
}
export const limits: RunOptions = { limits: { maxSteps: 3 } };
// @ts-expect-error there is no such job
startRun({ job: "none", payload: {} });
// @ts-expect-error a payload of another job
startRun({ job: "process-message", payload: { messages: [] } });
export const name: string = polarisAgent().name;
export const code = (error: unknown) => (error instanceof PolarisError ? error.code : "");
`;

const IMPORTS = `import { PolarisError, type RunOptions, startRun } from "polaris-agent";
import { polarisAgent } from "polaris-agent/trigger";
`;

let registry: Registry;
let app: Project;
let model: ModelServer;

before(async () => {
  // Nothing else can be fetched: what else is optional must be so.
  registry = await ourRegistry();
  app = project({ name: "app" });
  model = await startModelServer((exchange) => exchange.text("hello ").text("🌍").finish());
  await install(app, registry, ["polaris-agent"]);
});
after(async () => {
  await model?.close();
  await registry?.close();
  app?.remove();
});

describe("an install by name", () => {
  it("brings the addon of this platform and no other", () => {
    const installed = readdirSync(join(app.path, "node_modules")).filter(
      (name) => !name.startsWith("."),
    );
    assert.deepEqual(installed.sort(), ["polaris-agent", `polaris-agent-${packed.triple}`].sort());
    if (process.platform !== "linux") return;
    const platform = join(app.path, "node_modules", `polaris-agent-${packed.triple}`);
    accessSync(join(platform, "polaris-sandbox"), constants.X_OK);
  });

  for (const [line, node] of Object.entries(NODES)) {
    it(`runs on Node ${line}, as CommonJS and as ES modules`, async () => {
      assert.ok(existsSync(node), node);
      const env = {
        ...bareEnv(app.path, node),
        POLARIS_PRIMARY_BASE_URL: model.url,
        POLARIS_PRIMARY_MODEL: "scripted",
      };
      const names = "{ PolarisError, startRun }";
      const files = [
        app.write(
          "use.cjs",
          `const ${names} = require("polaris-agent");
           const { polarisAgent } = require("polaris-agent/trigger");
           (async () => {${USE}})();`,
        ),
        app.write(
          "use.mjs",
          `import ${names} from "polaris-agent";
           import { polarisAgent } from "polaris-agent/trigger";${USE}`,
        ),
      ];
      for (const file of files) {
        const { code, stdout, output } = await command(node, [file], { cwd: app.path, env });
        assert.equal(code, 0, output);
        assert.deepEqual(JSON.parse(stdout), {
          node: line,
          text: "hello 🌍",
          streamed: true,
          refused: [true, "PAYLOAD_INVALID"],
          extension: ["polaris-agent"],
        });
      }
    });
  }

  it("has no Rust within reach", async () => {
    const { code } = await command("sh", ["-c", "command -v cargo rustc"], {
      cwd: app.path,
      env: bareEnv(app.path),
    });
    assert.notEqual(code, 0);
  });

  for (const [resolution, module, file] of [
    ["nodenext", "nodenext", "types.mts"],
    ["nodenext", "nodenext", "types.cts"],
    ["bundler", "esnext", "types.ts"],
  ] as const) {
    it(`has types for ${file} under ${resolution}`, () => {
      app.write(file, `${IMPORTS}${TYPES}`);
      const flags = ["--strict", "--noEmit", "--target", "es2022"];
      const { status, stdout } = tsc(app.path, [
        ...flags,
        "--lib",
        "es2023,esnext.disposable",
        "--module",
        module,
        "--moduleResolution",
        resolution,
        file,
      ]);
      assert.equal(status, 0, stdout);
    });
  }

  it("has the program", async () => {
    const env = bareEnv(app.path);
    const options = { cwd: app.path, env };
    const { code, stdout } = await command("npx", ["--no", "polaris-agent", "--version"], options);
    assert.equal(code, 0);
    assert.match(stdout.trim(), /^\d+\.\d+\.\d+$/);
    const old = "data:text/javascript,Object.defineProperty(process,'version',{value:'v18.20.8'})";
    const onOldNode = await command(
      process.execPath,
      ["--import", old, join(app.path, "node_modules/polaris-agent/npm/dist/cli.mjs"), "init"],
      options,
    );
    assert.equal(onOldNode.code, 1);
    assert.match(onOldNode.output, /needs Node 20\.19 or newer; this is .*node v18\.20\.8/);
    const unknown = await command("npx", ["--no", "polaris-agent", "nonsense"], options);
    assert.equal(unknown.code, 2);
    assert.match(unknown.output, /there is no command nonsense/);
  });
});

describe("an install that went wrong", () => {
  const start = "require('polaris-agent').startRun({ job: 'agent', payload: { messages: [] } })";
  const report = `try { ${start} } catch (e) { console.log(e.code + "\\n" + e.message) }`;
  const addon = () =>
    join(
      app.path,
      "node_modules",
      `polaris-agent-${packed.triple}`,
      `polaris.${packed.triple}.node`,
    );

  const said = (): string => {
    const options = { cwd: app.path, env: bareEnv(app.path), encoding: "utf8" } as const;
    return spawnSync(process.execPath, ["--eval", report], options).stdout;
  };

  /** Restores the addon whatever the check says. */
  const without = (check: () => void): void => {
    const file = addon();
    renameSync(file, `${file}.kept`);
    try {
      check();
    } finally {
      renameSync(`${file}.kept`, file);
    }
  };

  it("without the platform package names what was looked for and two commands", () => {
    without(() => {
      const text = said();
      assert.match(text, /^ADDON_MISSING\n/);
      assert.ok(text.includes(`package polaris-agent-${packed.triple}`), text);
      assert.ok(text.includes("npm install") && text.includes("npm run build"), text);
    });
  });

  it("with a damaged addon says so and how to get a fresh one", () => {
    without(() => {
      writeFileSync(addon(), "<html>504 Gateway Time-out</html>");
      const text = said();
      assert.match(text, /is damaged or made for another machine/);
      assert.match(text, /npm install --force polaris-agent@\S+ polaris-agent-/);
    });
  });

  it("with a platform package of another version names both and how to get the right one", () => {
    const file = join(app.path, "node_modules", "polaris-agent", "npm", "dist", "index.cjs");
    const kept = readFileSync(file, "utf8");
    const { version } = JSON.parse(
      readFileSync(join(app.path, "node_modules", "polaris-agent", "package.json"), "utf8"),
    ) as { version: string };
    const changed = kept.replace(`var version = "${version}"`, 'var version = "9.9.9"');
    assert.notEqual(changed, kept, "the build writes the version in");
    writeFileSync(file, changed);
    try {
      const text = said();
      assert.match(text, /^ADDON_MISSING\n/);
      assert.ok(text.includes(`is version ${version}, needed is 9.9.9`), text);
      assert.match(text, /npm install --force polaris-agent@9\.9\.9 polaris-agent-\S+@9\.9\.9/);
    } finally {
      writeFileSync(file, kept);
    }
  });

  const linux = process.platform === "linux" ? false : "commands run on Linux only";
  it("without the helper runs no command, and the model is told why", { skip: linux }, async () => {
    const helper = join(addon(), "..", "polaris-sandbox");
    renameSync(helper, `${helper}.kept`);
    const seen: string[] = [];
    const asked = await startModelServer((exchange) => {
      const result = exchange.request.messages.find(({ role }) => role === "tool")?.content;
      if (result === undefined) {
        exchange.toolCall(0, "c", "executeCommand", { command: "node -v" }).finish("tool_calls");
      } else {
        seen.push(String(result));
        exchange.text("no").finish();
      }
    });
    try {
      const env = {
        ...bareEnv(app.path),
        POLARIS_PRIMARY_BASE_URL: asked.url,
        POLARIS_PRIMARY_MODEL: "scripted",
      };
      const run = `require("polaris-agent").startRun({ job: "agent", payload: {
        messages: [{ role: "user", content: "run it" }], files: { "a.js": "" } } }).result().then(() => console.log("done"))`;
      const options = { cwd: app.path, env };
      const { output } = await command(process.execPath, ["--eval", run], options);
      assert.match(output, /done/);
      assert.match(
        seen.join(),
        /its helper polaris-sandbox is missing \(looked in .*\); POLARIS_SANDBOX_PATH may name it/,
      );
    } finally {
      renameSync(`${helper}.kept`, helper);
      await asked.close();
    }
  });
});
