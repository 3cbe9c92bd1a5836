import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { staleLocalCode } from "./local-code.mjs";
import { checkNode, ROOT, SetupError, staleAddon, stalePackages } from "./setup.mjs";
import { findTests, parseLibtest, runNodeTests, sum, summary } from "./tests.mjs";

let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "polaris-scripts-"));
});
after(() => rmSync(folder, { recursive: true }));

function checkout(name, wanted, installed) {
  const root = join(folder, name);
  mkdirSync(join(root, "node_modules"), { recursive: true });
  writeFileSync(join(root, "package-lock.json"), JSON.stringify({ packages: wanted }));
  if (installed !== undefined) {
    const path = join(root, "node_modules", ".package-lock.json");
    writeFileSync(path, JSON.stringify({ packages: installed }));
  }
  return root;
}

describe("the lock files", () => {
  const locks = ["", "bench", "__test__/install/tools", "local/control-plane/fixtures"].map(
    (where) => join(ROOT, where, "package-lock.json"),
  );

  /** Where Node, and npm, look for a package that the one at `path` depends on. */
  function places(path, name) {
    const found = [];
    for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/")))) {
      if (!at.endsWith("node_modules"))
        found.push(`${at}${at === "" ? "" : "/"}node_modules/${name}`);
      if (at === "") return found;
    }
  }

  // A lock file that npm writes beside installed packages lacks those of other platforms, and `npm ci`
  // refuses it on every machine. `rm -rf node_modules && npm install --package-lock-only` mends it.
  it("hold the packages of all platforms", () => {
    for (const lock of locks.filter((file) => existsSync(file))) {
      const { packages } = JSON.parse(readFileSync(lock, "utf8"));
      const missing = Object.entries(packages).flatMap(([path, entry]) =>
        Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
          .filter((name) => !places(path, name).some((place) => packages[place] !== undefined))
          .map((name) => `${name} of ${path || "the project"}`),
      );
      assert.deepEqual(missing, [], lock);
    }
  });

  it("name no registry", () => {
    for (const lock of locks.filter((file) => existsSync(file))) {
      assert.doesNotMatch(readFileSync(lock, "utf8"), /"resolved": "\w+:/, lock);
    }
  });
});

describe("set-up", () => {
  it("asks for a Node that is new enough", () => {
    for (const version of ["20.19.0", "20.20.2", "22.0.0"]) checkNode(version);
    for (const version of ["18.20.0", "20.18.9"]) {
      assert.throws(() => checkNode(version), SetupError);
    }
  });

  it("notices packages that are missing, other or for another platform", () => {
    const wanted = {
      "": { name: "root" },
      app: { version: "1.0.0" },
      "node_modules/polaris-app": { link: true },
      "node_modules/a": { version: "1.2.3" },
      "node_modules/b-darwin": { version: "1.0.0", optional: true },
      "node_modules/a/node_modules/@x/c": { version: "2.0.0" },
    };
    const good = {
      "node_modules/a": { version: "1.2.3" },
      "node_modules/a/node_modules/@x/c": { version: "2.0.0" },
    };
    assert.match(stalePackages(checkout("fresh", wanted)), /no packages are installed/);
    assert.equal(stalePackages(checkout("good", wanted, good)), undefined);
    const missing = { "node_modules/a": { version: "1.2.3" } };
    assert.equal(stalePackages(checkout("missing", wanted, missing)), "@x/c is not installed");
    const old = { ...good, "node_modules/a": { version: "1.2.2" } };
    assert.equal(
      stalePackages(checkout("old", wanted, old)),
      "a is 1.2.2, package-lock.json says 1.2.3",
    );
  });

  it("builds the addon when it is missing or older than its sources, and only then", () => {
    const addon = join(folder, "a.node");
    const source = join(folder, "crate");
    mkdirSync(join(source, "src"), { recursive: true });
    mkdirSync(join(source, "target"));
    const file = join(source, "src", "lib.rs");
    writeFileSync(file, "");
    assert.match(staleAddon(addon, [source]), /not been built/);
    writeFileSync(addon, "");
    utimesSync(file, 1000, 1000);
    utimesSync(addon, 2000, 2000);
    writeFileSync(join(source, "target", "newer"), "");
    assert.equal(staleAddon(addon, [source]), undefined);
    utimesSync(file, 3000, 3000);
    assert.match(staleAddon(addon, [source]), /lib\.rs is newer/);
  });

  it("bundles the local stack again when one of its sources has changed, and only then", () => {
    const sources = join(folder, "sources.json");
    assert.match(staleLocalCode(sources, folder), /not been bundled/);
    const file = join(folder, "service.ts");
    writeFileSync(file, "");
    utimesSync(file, 1000, 1000);
    writeFileSync(sources, JSON.stringify({ "service.ts": 1_000_000 }));
    assert.equal(staleLocalCode(sources, folder), undefined);
    // Older is changed, too: another branch was checked out.
    utimesSync(file, 500, 500);
    assert.match(staleLocalCode(sources, folder), /service\.ts has changed/);
    rmSync(file);
    assert.match(staleLocalCode(sources, folder), /service\.ts has changed/);
  });
});

describe("counting tests", () => {
  it("reads libtest's summary, with colours or without", () => {
    const line =
      "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
    assert.deepEqual(parseLibtest(line), { passed: 12, failed: 0, skipped: 1 });
    assert.deepEqual(
      parseLibtest("test result: \u001b[31mFAILED\u001b[0m. 1 passed; 2 failed; 0 ignored; x"),
      { passed: 1, failed: 2, skipped: 0 },
    );
    assert.equal(parseLibtest("test a ... ok"), undefined);
  });

  it("closes with one line", () => {
    const counts = { passed: 3, failed: 0, skipped: 0 };
    assert.equal(summary(counts), "3 passed, 0 failed");
    assert.equal(
      summary(sum(counts, { passed: 1, failed: 1, skipped: 2 })),
      "4 passed, 1 failed, 2 skipped",
    );
  });

  it("counts node's tests and not its suites, and a file that cannot be loaded as failed", async () => {
    const root = join(folder, "tests");
    mkdirSync(join(root, "deep", "node_modules"), { recursive: true });
    const head = 'import { describe, it } from "node:test";';
    writeFileSync(
      join(root, "a.test.mjs"),
      `${head} describe("s", () => { it("p", () => {}); it("f", () => { throw 1; }); it("s", { skip: "why" }, () => {}); it("t", { todo: true }, () => { throw 1; }); });`,
    );
    writeFileSync(join(root, "deep", "b.test.mjs"), 'import "./missing.mjs";');
    writeFileSync(join(root, "deep", "node_modules", "c.test.mjs"), "throw 1;");
    writeFileSync(join(root, "deep", "helper.mjs"), "throw 1;");
    const files = findTests(["a.test.mjs", "deep", "nowhere"], root);
    assert.deepEqual(files, ["a.test.mjs", "deep/b.test.mjs"]);
    const paths = files.map((file) => join(root, file));
    const counts = await runNodeTests(paths, { quiet: true });
    assert.deepEqual(counts, { passed: 1, failed: 2, skipped: 1 });
  });
});

describe("a command", () => {
  const script = (body) =>
    `import { run } from ${JSON.stringify(join(import.meta.dirname, "process.mjs"))};\n${body}`;
  const child = `process.stdout.write(process.pid + "\\n"); setInterval(() => {}, 1000);`;
  const body = `await run(process.execPath, ["-e", ${JSON.stringify(child)}]);`;

  async function started(env = {}) {
    const command = spawn(process.execPath, ["--input-type=module", "-e", script(body)], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    const pid = await new Promise((settle) => {
      createInterface({ input: command.stdout }).once("line", (line) => settle(Number(line)));
    });
    return { command, pid };
  }

  async function gone(pid) {
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

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ]) {
    it(`ends what it started on ${signal} and says so by its exit code`, async () => {
      const { command, pid } = await started();
      const exit = new Promise((settle) => command.once("exit", settle));
      command.kill(signal);
      assert.equal(await exit, code);
      await gone(pid);
    });
  }

  it("ends with the process that started it, even through a shell", async () => {
    const inner = script(body);
    const outer = `const { spawn } = require("node:child_process"); spawn("sh", ["-c", '"$0" --input-type=module -e "$1"; true', process.execPath, ${JSON.stringify(inner)}], { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, npm_lifecycle_event: "x" } });`;
    const parent = spawn(process.execPath, ["-e", outer], { stdio: ["ignore", "pipe", "inherit"] });
    const pid = await new Promise((settle) => {
      createInterface({ input: parent.stdout }).once("line", (line) => settle(Number(line)));
    });
    parent.kill("SIGKILL");
    await gone(pid);
  });
});
