// The build extension under the official CLI: what `trigger.dev deploy --dry-run` makes of this
// repository and of a fresh project with the one line in its config.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { type ControlPlane, startControlPlane } from "../../local/control-plane/index.ts";
import {
  bareEnv,
  command,
  FRESH,
  install,
  installShared,
  ourRegistry,
  type Project,
  packed,
  project,
  ROOT,
} from "./packed.ts";
import type { Registry } from "./registry.ts";

let plane: ControlPlane;
let registry: Registry;
let app: Project;

before(async () => {
  plane = await startControlPlane({});
  registry = await ourRegistry({ all: true });
  app = project({ name: "fresh", type: "module" });
  app.write(
    "trigger.config.ts",
    `import { defineConfig } from "@trigger.dev/sdk";
     import { polarisAgent } from "polaris-agent/trigger";
     export default defineConfig({
       project: "proj_fresh", maxDuration: 300, dirs: ["./trigger"],
       build: { extensions: [polarisAgent()] },
     });`,
  );
  app.write(
    "trigger/answer.ts",
    `import { task } from "@trigger.dev/sdk";
     import { startRun } from "polaris-agent";
     export const answer = task({
       id: "answer",
       run: async ({ text }: { text: string }) =>
         await startRun({ job: "agent", payload: { messages: [{ role: "user", content: text }] } }).result(),
     });`,
  );
  await installShared(app, registry, FRESH);
});
after(async () => {
  await plane?.close();
  await registry?.close();
  app?.remove();
});

/** Everything that would go into the image, by path. */
async function dryRun(folder: string): Promise<{ said: string; files: Map<string, string> }> {
  const offline = pathToFileURL(join(ROOT, "local/control-plane/offline.mjs")).href;
  const manifest = createRequire(join(folder, "package.json")).resolve("trigger.dev/package.json");
  const cli = join(manifest, "..", "dist/esm/index.js");
  const { code, output } = await command(
    process.execPath,
    [cli, "deploy", "--dry-run", "--plain", "--skip-update-check", "--skip-telemetry"],
    {
      cwd: folder,
      env: {
        ...bareEnv(app.path),
        NO_COLOR: "1",
        TRIGGER_API_URL: plane.url,
        TRIGGER_ACCESS_TOKEN: plane.accessToken,
        TRIGGER_PROJECT_REF: plane.projectRef,
        NODE_OPTIONS: `--import=${offline}`,
      },
    },
  );
  assert.equal(code, 0, output);
  const path = /View the built project at (\S+)/.exec(output)?.[1];
  assert.ok(path !== undefined && existsSync(path), output);
  const files = new Map<string, string>();
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    files.set(file.slice(path.length + 1), readFileSync(file, "utf8"));
  }
  rmSync(path, { recursive: true });
  return { said: output, files };
}

function manifestOf(files: Map<string, string>): { dependencies: Record<string, string> } {
  return JSON.parse(files.get("package.json") ?? "{}");
}

/** What both kinds of project must hold to. */
function check(files: Map<string, string>, folder: string, version: string): void {
  assert.equal(manifestOf(files).dependencies["polaris-agent"], version);
  const code = [...files].filter(([name]) => name.endsWith(".mjs"));
  assert.ok(code.length > 0);
  assert.ok(
    code.some(([, text]) => /from\s*"polaris-agent"/.test(text)),
    "it is not external",
  );
  for (const [name, text] of files) {
    assert.ok(!name.endsWith(".node"), name);
    // Its own loader would not find the addon from inside a bundle.
    if (name.endsWith(".mjs"))
      assert.ok(!text.includes("polaris-agent.error"), `bundled into ${name}`);
    // Source maps have sources with absolute paths of the machine that built them.
    if (!name.endsWith(".map")) assert.ok(!text.includes(folder), `${folder} is in ${name}`);
  }
}

describe("deploy --dry-run", () => {
  const { version } = packed.packages.find(({ manifest }) => manifest.name === "polaris-agent")
    ?.manifest ?? { version: "" };

  let dependencies: Record<string, string> = {};

  it("of a fresh project leaves the package external, at its version", async () => {
    const { files, said } = await dryRun(app.path);
    check(files, app.path, version);
    dependencies = manifestOf(files).dependencies;
    assert.doesNotMatch(said, /polaris-agent: the image will install/);
    const image = files.get("Containerfile") ?? "";
    assert.match(image, /FROM .*node/);
    assert.doesNotMatch(image, /omit.optional|no-optional/, "the addon is an optional dependency");
  });

  it("of this repository does the same, and says that a checkout is not what is installed", async () => {
    const { files, said } = await dryRun(ROOT);
    check(files, ROOT, version);
    assert.match(said, /polaris-agent: the image will install polaris-agent@\S+ as published/);
  });

  it("installs in the image what the tasks need, the addon with it", async () => {
    const { "polaris-agent": wanted } = dependencies;
    const image = project({ dependencies: { "polaris-agent": wanted } });
    try {
      await install(image, registry, []);
      const addon = join(image.path, "node_modules", `polaris-agent-${packed.triple}`);
      assert.ok(existsSync(addon), "the platform package is missing");
    } finally {
      image.remove();
    }
  });
});
