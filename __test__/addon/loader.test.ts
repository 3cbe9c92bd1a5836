// What a person reads when the addon is not there: which files were looked for, on which machine, and
// what to do. And that importing the package needs no addon.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ConfigError, type PolarisError } from "polaris-agent";
import {
  type LoadOptions,
  loadAddon,
  loadNative,
  packageRoot,
  thisPlatform,
  tripleOf,
} from "../../npm/src/native.ts";
import { packageVersion } from "../../npm/src/version.ts";

const folder = mkdtempSync(join(tmpdir(), "polaris-loader-"));
after(() => rmSync(folder, { recursive: true }));

const MUSL = { platform: "linux", arch: "arm64", libc: "musl", node: "v20.19.0" } as const;

/** As version 1.2.3 of the package would, whose folder is empty. */
function load(options: Partial<LoadOptions>) {
  const its = { root: folder, version: "1.2.3", load: loadAddon };
  return loadNative({ env: {}, platform: thisPlatform(), ...its, ...options });
}

function thrown(attempt: () => unknown): PolarisError {
  try {
    attempt();
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error;
  }
  assert.fail("it was loaded");
}

describe("the loader", () => {
  it("says what it looked for, where, and the two ways to get it", () => {
    const error = thrown(() => load({ platform: MUSL }));
    assert.deepEqual([error.code, error.retryable], ["ADDON_MISSING", false]);
    for (const part of [
      "polaris-agent 1.2.3",
      "linux arm64 musl, node v20.19.0",
      `${join(folder, "npm", "polaris.linux-arm64-musl.node")}: not found`,
      "package polaris-agent-linux-arm64-musl: not found",
      "npm install polaris-agent@1.2.3",
      "npm run build",
    ]) {
      assert.ok(error.message.includes(part), `${part}\nis not in\n${error.message}`);
    }
  });

  it("takes the named file and no other", () => {
    const file = join(folder, "there-is-none.node");
    const env = { POLARIS_NATIVE_LIBRARY_PATH: file };
    const built = { root: packageRoot, version: packageVersion };
    const { message } = thrown(() => load({ env, ...built }));
    assert.ok(message.includes(`${file} (POLARIS_NATIVE_LIBRARY_PATH): not found`), message);
    assert.ok(!message.includes("- package"), message);
    const unset = { POLARIS_NATIVE_LIBRARY_PATH: " " };
    assert.equal(typeof load({ env: unset, ...built }).version, "function");
  });

  it("shares the addon with whoever else in the thread requires it", () => {
    const file = builtAddon();
    assert.equal(createRequire(import.meta.url)(file), loadAddon(file));
  });

  it("refuses an addon of another version", () => {
    const env = { POLARIS_NATIVE_LIBRARY_PATH: builtAddon() };
    assert.match(
      thrown(() => load({ env })).message,
      /is version \d+\.\d+\.\d+, needed is 1\.2\.3/,
    );
  });

  it("says why a file that is there is no addon", () => {
    const file = join(folder, "text.node");
    writeFileSync(file, "this is no library");
    const env = { POLARIS_NATIVE_LIBRARY_PATH: file };
    const { message } = thrown(() => load({ env }));
    assert.ok(message.includes(file) && !message.includes("not found"), message);
    assert.match(message, /is damaged or made for another machine[\s\S]*npm install --force/);
  });

  it("names another version of the platform package, and how to get the right one", () => {
    const published = (id: string): unknown => {
      if (id === "polaris-agent-linux-arm64-musl") return { version: () => "1.2.2" };
      throw Object.assign(new Error("Cannot find module"), { code: "MODULE_NOT_FOUND" });
    };
    const { message } = thrown(() => load({ platform: MUSL, load: published }));
    for (const part of [
      "package polaris-agent-linux-arm64-musl: is version 1.2.2, needed is 1.2.3",
      "npm install --force polaris-agent@1.2.3 polaris-agent-linux-arm64-musl@1.2.3",
      "npm run build",
    ]) {
      assert.ok(message.includes(part), `${part}\nis not in\n${message}`);
    }
  });

  it("says where there is no published addon, and for what there is one", () => {
    const platform = { platform: "freebsd", arch: "x64", node: "v22.0.0" };
    const { message } = thrown(() => load({ platform }));
    assert.match(message, /no published addon for freebsd-x64; there are: linux-x64-gnu, /);
    assert.ok(message.includes("npm run build") && message.includes("docker run"), message);
    assert.ok(!message.includes("npm install"), message);
  });

  it("asks for a newer Node before it looks for anything", () => {
    for (const node of ["v18.20.8", "v20.18.3"]) {
      const { message } = thrown(() => load({ platform: { ...MUSL, node } }));
      assert.ok(
        message.includes(`needs Node 20.19 or newer; this is linux arm64 musl, node ${node}`),
      );
      assert.ok(message.includes("nvm install") && message.includes("npx"), message);
    }
  });

  it("finds the published package where there is no build", () => {
    const addon = { version: () => "1.2.3" };
    const asked: string[] = [];
    const published = (id: string): unknown => {
      asked.push(id);
      if (id === "polaris-agent-darwin-arm64") return addon;
      throw Object.assign(new Error("Cannot find module"), { code: "MODULE_NOT_FOUND" });
    };
    const platform = { platform: "darwin", arch: "arm64", node: "v22.0.0" };
    assert.equal(load({ platform, load: published }), addon);
    assert.deepEqual(asked, ["polaris-agent-darwin-arm64"]);
  });

  it("loads nothing until the first run starts, for ES modules and for CommonJS", () => {
    const env = { ...process.env, POLARIS_NATIVE_LIBRARY_PATH: join(folder, "none.node") };
    const start = "startRun({ job: 'agent', payload: { messages: [] } })";
    const report = "catch (e) { console.log(e.code, e instanceof p.ConfigError) }";
    for (const [type, load] of [
      ["module", "import * as p from 'polaris-agent'"],
      ["commonjs", "const p = require('polaris-agent')"],
    ] as const) {
      const code = `${load}; try { p.${start} } ${report}`;
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [`--input-type=${type}`, "--eval", code],
        { cwd: packageRoot, env, encoding: "utf8" },
      );
      assert.equal(stdout.trim(), "ADDON_MISSING true", stderr);
    }
  });

  it("leaves nothing of what an ES module imports to be looked through for names", () => {
    for (const entry of ["index", "trigger"]) {
      // Node's lexer, which reads the whole file, would have found the names there.
      const code = `
        const found = await import("./npm/dist/${entry}.import.cjs");
        const { default: all, ...names } = found;
        const module = await import("./npm/dist/${entry}.mjs");
        const same = Object.keys(module).every((name) => module[name] === all[name]);
        delete names["module.exports"];
        console.log(JSON.stringify([Object.keys(names), same, Object.keys(module).length > 0]));`;
      const args = ["--input-type=module", "--eval", code];
      const { stdout, stderr } = spawnSync(process.execPath, args, {
        cwd: packageRoot,
        encoding: "utf8",
      });
      assert.equal(stdout.trim(), "[[],true,true]", stderr);
    }
  });
});

function builtAddon(): string {
  return join(packageRoot, "npm", `polaris.${tripleOf(thisPlatform())}.node`);
}
