// What the documentation promises by itself: links lead somewhere, the commands of the README exist, and
// the product that the migration notes are about is named nowhere else.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, it } from "node:test";

const ROOT = resolve(import.meta.dirname, "..");

function tracked(...patterns: string[]): string[] {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "--", ...patterns];
  const { stdout } = spawnSync("git", args, { cwd: ROOT, encoding: "utf8" });
  return stdout.split("\n").filter((name) => name !== "" && existsSync(join(ROOT, name)));
}

/** As GitHub makes them. */
function anchorsOf(markdown: string): Set<string> {
  const headings = [...markdown.matchAll(/^#{1,6} (.+)$/gm)].map(([, text = ""]) => text);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .trim()
        .replaceAll(" ", "-"),
    ),
  );
}

/** What is looked through for variables. */
const PRODUCT = ["crates", "npm/src", "trigger", "trigger.config.ts", "app", "local", "scripts"];
const IS_TEST =
  /\.test\.|[\\/](tests|benches|fixtures|testing)[\\/]|_generated|\.(md|json|css|svg|html)$|(^|[/_])(testing|tests)\.rs$/;
/** The operating system's, npm's and Node's own, and what one part of this repository sets for another. */
const NOT_OURS = new Set(
  "PATH HOME TMPDIR TEMP USERPROFILE CI NODE_OPTIONS NEXT_TELEMETRY_DISABLED POLARIS_CLI_LIFELINE POLARIS_PACKED POLARIS_NODES CORPUS_WHOLE GENERATION_WHOLE".split(
    " ",
  ),
);

/** Variables that a file reads: by their prefix, or by the ways in which code asks for one. */
function variablesIn(file: string, text: string): string[] {
  const found = [
    /\b(POLARIS_(?:PRIMARY|FALLBACK)_(?:BASE_URL|MODEL|API_KEY|PROTOCOL))\b/g,
    /["'`.](POLARIS_[A-Z0-9_]*[A-Z0-9])\b/g,
    /process\.env\.([A-Z][A-Z0-9_]*[A-Z0-9])\b(?![_*])/g,
    /\b(?:variable|require|get|var|var_os)\(\s*"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"/g,
    /\b(?:env|settings)\.([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])\b(?![_*])/g,
  ].flatMap((pattern) => [...text.matchAll(pattern)]);
  if (file === ".env.example") found.push(...text.matchAll(/^([A-Z][A-Z0-9_]+)=/gm));
  if (file === "README.md") found.push(...text.matchAll(/`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`/g));
  return found.map(([, name = ""]) => name);
}

/**
 * Commands of the documentation: the file that runs each, and words of that file by which it does. With
 * no file: it needs an account, changes the machine, or takes a machine for itself (benches).
 */
const TRIED: [command: RegExp, file?: string, words?: string][] = [
  [/^npm run demo/, "__test__/install/commands.install.ts", '"demo"'],
  [/^npm run say/, "__test__/install/commands.install.ts", '"say"'],
  [/^npm start -- --dev$/, "__test__/install/commands.install.ts", '"--dev"'],
  [/^npm run build -w app$/, "__test__/app/built.test.ts", "ensureBuild"],
  [/^npm start$/, "__test__/install/commands.install.ts", '["start"'],
  [/^npm (ci|install)$/, "scripts/setup.mjs", '"ci"'],
  [/^npm install --package-lock-only$/, "scripts/scripts.test.mjs", "--package-lock-only"],
  [
    /^npm install polaris-agent @trigger\.dev\/sdk$/,
    "__test__/install/packed.ts",
    "@trigger.dev/sdk",
  ],
  [
    /^npm install (--force )?polaris-agent@/,
    "__test__/install/use.install.ts",
    "npm install --force",
  ],
  [/^npx polaris-agent(-local|@latest)?( dev)?$/, "__test__/install/dev.install.ts", '"dev"'],
  [/^npx polaris-agent(@latest)? init/, "__test__/install/init.install.ts", '"--yes"'],
  [
    /^npx convex run polaris\/settle:messages/,
    "local/convex/app-settle.test.ts",
    "settle.messages",
  ],
  [/^npx trigger\.dev dev$/, "__test__/install/dev.install.ts", '"dev"'],
  [/^npx trigger\.dev deploy$/, "__test__/install/trigger.install.ts", '"deploy"'],
  [
    /^(npm run check|node scripts\/(api|results|troubleshooting)\.mjs|npm run types|npm run build)$/,
    ".ci/run",
    "npm run check",
  ],
  [/^(npm test|cargo test)/, ".ci/run", "npm test"],
  [/^npm run test:(cancel|browser|sandbox)/, ".ci/run", "npm test"],
  [/^npm run test:install/, ".ci/run", "npm run test:install"],
  [/^npm run test:crash/, ".ci/run", "npm run test:crash"],
  [/^npm run test:outage/, "__test__/outage/outage.test.ts", "outage"],
  [/^npm run soak/, "__test__/soak/soak.test.ts", "soak"],
  [/^cargo run -p polaris-core --example assemble/, "scripts/check.mjs", "--all-targets"],
  [/^node --import tsx --test local\/model\/generate-project/, ".ci/run", "npm test"],
  // All boundaries of a generation: minutes; npm test runs one of them.
  [/^npm run test:generation/, "__test__/end-to-end/generation-killed.test.ts", "killed"],
  [/^npm run fuzz/],
  // Needs control groups, and minutes on half a core.
  [/^npm run test:machine/],
  [/^npm run (-s )?bench/],
  [/^(cargo build --release|perf )/],
  [/^npm run (dev|test:live)$/],
  [/^npx (convex (dev|deploy|env)|trigger\.dev(@latest)? login)/],
];

/** Of shell blocks each line, and what stands in the text as a command. */
function commandsIn(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, text = ""]) =>
    text.split("\n"),
  );
  const inline = [
    ...markdown.replace(/```[\s\S]*?```/g, "").matchAll(/`((?:npm|npx|node|cargo) [^`\n]+)`/g),
  ].map(([, text = ""]) => text);
  return [...blocks, ...inline]
    .map((line) =>
      line
        .replace(/ +#.*$/, "")
        .replace(/^([A-Z_]+=\S+ )+/, "")
        .replace(/ \|.*$/, "")
        .trim(),
    )
    .filter((line) => /^(npm|npx|node|cargo|perf) /.test(line));
}

describe("the documentation", () => {
  const pages = tracked("*.md").filter((name) => !name.startsWith("prompts/"));

  it("has no link inside the repository that leads nowhere", () => {
    const broken: string[] = [];
    assert.ok(pages.length > 8, "the pages were not found");
    for (const page of pages) {
      const text = readFileSync(join(ROOT, page), "utf8").replace(/```[\s\S]*?```/g, "");
      for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? join(ROOT, page) : resolve(ROOT, dirname(page), path);
        if (!existsSync(file)) broken.push(`${page}: ${target}`);
        else if (anchor !== undefined && !anchorsOf(readFileSync(file, "utf8")).has(anchor)) {
          broken.push(`${page}: ${target} (no such heading)`);
        }
      }
    }
    assert.deepEqual(broken, []);
  });

  it("is there where code names it", () => {
    const missing = tracked(...PRODUCT)
      .filter((file) => !IS_TEST.test(file))
      .flatMap((file) =>
        [...readFileSync(join(ROOT, file), "utf8").matchAll(/\bdocs\/[\w-]+\.md/g)]
          .map(([page]) => page)
          .filter((page) => !existsSync(join(ROOT, page)))
          .map((page) => `${file}: ${page}`),
      );
    assert.deepEqual(missing, []);
  });

  it("names no command that package.json does not have", () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const unknown = pages.flatMap((page) =>
      [...readFileSync(join(ROOT, page), "utf8").matchAll(/npm run (?:-s )?([a-z][a-z:]*)/g)]
        .map(([, name = ""]) => name)
        // What a model may run, in docs/sandbox.md.
        .filter((name) => name !== "whatever" && scripts[name] === undefined)
        .map((name) => `${page}: npm run ${name}`),
    );
    assert.deepEqual(unknown, []);
  });

  it("names no command that is not tried by a test, or why it is not", () => {
    const untried = new Set<string>();
    let seen = 0;
    for (const page of pages.filter((name) => name !== "CHANGELOG.md")) {
      for (const line of commandsIn(readFileSync(join(ROOT, page), "utf8"))) {
        seen++;
        const known = TRIED.find(([pattern]) => pattern.test(line));
        if (known === undefined) untried.add(`${page}: ${line}`);
        else if (known[1] !== undefined) {
          const [, file, words = ""] = known;
          const text = readFileSync(join(ROOT, file), "utf8");
          assert.ok(text.includes(words), `${file} does not say ${words}, which is to try ${line}`);
        }
      }
    }
    assert.ok(seen > 60, `only ${seen} commands were found`);
    assert.deepEqual([...untried], []);
  });

  it("names every variable that the code reads or an example has", () => {
    const page = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");
    const named = new Set([...page.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name = ""]) => name));
    const missing = new Set<string>();
    let seen = 0;
    for (const file of ["README.md", ".env.example", ...tracked(...PRODUCT)]) {
      if (IS_TEST.test(file)) continue;
      for (const name of variablesIn(file, readFileSync(join(ROOT, file), "utf8"))) {
        seen++;
        if (!named.has(name) && !NOT_OURS.has(name)) missing.add(`${file}: ${name}`);
      }
    }
    assert.ok(seen > 100, `only ${seen} uses of variables were found`);
    assert.deepEqual([...missing], []);
  });

  it("is the only place, with init, where Inngest is named", () => {
    const allowed =
      /^(docs\/migrating-from-inngest\.md|CHANGELOG\.md|npm\/src\/cli\/init\/.*|__test__\/install\/init.*|__test__\/documentation\.test\.ts)$/;
    const { stdout } = spawnSync("git", ["grep", "-iIn", "--untracked", "inngest"], {
      cwd: ROOT,
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    const lines = stdout.split("\n").filter((line) => line !== "");
    assert.ok(lines.length > 0, "git grep found nothing at all");
    const elsewhere = lines.filter((line) => {
      const [file = "", , ...text] = line.split(":");
      return (
        !allowed.test(file) &&
        /inngest/i.test(text.join(":").replaceAll("migrating-from-inngest.md", ""))
      );
    });
    assert.deepEqual(elsewhere, []);
  });
});
