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

  it("names every variable that an example has", () => {
    const example = readFileSync(join(ROOT, ".env.example"), "utf8");
    const page = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");
    const named = [...example.matchAll(/^([A-Z][A-Z_]+)=/gm)].map(([, name = ""]) => name);
    const missing = named.filter((name) => {
      const [, role, rest] = /^(POLARIS_(?:PRIMARY|FALLBACK))(_\w+)$/.exec(name) ?? [];
      return !(page.includes(name) || (role !== undefined && page.includes(`${rest}`)));
    });
    assert.deepEqual(missing, []);
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
