// The scripted model generates a project: nine conversations that know nothing of each other, asked
// with the prompts that ship. The build itself needs the network and is asked for by a variable.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { transform } from "esbuild";
import { type Answer, converse, TOOLS } from "./fixtures/agent.ts";
import { type ModelService, startModel } from "./index.ts";
import { generatedFiles } from "./personas/generate-project/index.ts";

const MAX_TOKENS = 2_000;
const CHARS_PER_TOKEN = 4;
const MAX_TURNS = [8, 8, 8, 8, 6, 4, 6, 4, 2];
/** `npm install`, `tsc` and `vite build` of what was generated; downloads packages. */
const BUILD = process.env.POLARIS_TEST_GENERATED_BUILD === "1";
const BUILD_TIMEOUT_MS = 300_000;

const AGENCY = "A tool for an agency, called Agency Desk.\n\nIt keeps the clients on one page.";
const RECIPES = "A recipe collection with shopping lists, ratings and the cooks who wrote them";

let model: ModelService;
before(async () => {
  model = await startModel({ pace: 0 });
});
after(() => model.close());

async function sections(plan: string): Promise<{ system: string; instructions: string[] }> {
  const path = new URL(`../../prompts/generate-project.${plan}.md`, import.meta.url);
  const [system = "", ...rest] = (await readFile(path, "utf8")).split(/^## .*$/m);
  // The extra step behind the ninth is not a part of the plan.
  const instructions = rest.slice(0, MAX_TURNS.length).map((text) => text.trim());
  return { system: system.trim(), instructions };
}

/** All nine steps, each a conversation of its own. */
async function generate(
  plan: string,
  description: string,
): Promise<{ files: Map<string, string>; steps: Answer[] }> {
  const { system, instructions } = await sections(plan);
  const files = new Map<string, string>();
  const steps: Answer[] = [];
  for (const [index, instruction] of instructions.entries()) {
    const text = `Project description:\n${description}\n\n${instruction}`;
    const firstTool = index === 8 ? "listFiles" : "writeFile";
    const request = { system, firstTool, maxTokens: MAX_TOKENS };
    steps.push(await converse(model.baseUrl, text, files, TOOLS, request));
  }
  return { files, steps };
}

/** Imports of our own that lead nowhere. */
function deadImports(files: Map<string, string>): string[] {
  return [...files].flatMap(([path, source]) =>
    [...source.matchAll(/(?:from|import) "(\.[^"]+)"/g)].flatMap(([, target = ""]) => {
      const file = posix.join(posix.dirname(path), target);
      const found = [file, `${file}.ts`, `${file}.tsx`].some((name) => files.has(name));
      return found ? [] : [`${path}: ${target}`];
    }),
  );
}

for (const [plan, description] of [
  ["default", AGENCY],
  ["general", RECIPES],
] as const) {
  describe(`a project of the ${plan} plan`, () => {
    let generated: Awaited<ReturnType<typeof generate>>;
    before(async () => {
      generated = await generate(plan, description);
    });

    it("has every file of the nine steps, and only those", () => {
      const { files } = generated;
      assert.deepEqual(files, generatedFiles(description, plan === "general"));
      assert.deepEqual(deadImports(files), []);
      assert.ok(files.size > 20);
    });

    it("calls the forced tool first and stays within turns and tokens", () => {
      for (const [index, { calls, steps }] of generated.steps.entries()) {
        assert.equal(calls[0]?.name, index === 8 ? "listFiles" : "writeFile");
        assert.ok(steps <= (MAX_TURNS[index] ?? 0), `step ${index + 1} took ${steps} turns`);
        for (const { args } of calls) {
          assert.ok(JSON.stringify(args).length < MAX_TOKENS * CHARS_PER_TOKEN);
        }
      }
      assert.ok(
        generated.steps.some(({ steps }) => steps > 2),
        "a step that needs several turns",
      );
    });

    it("is the work of each step alone", () => {
      const wrote = generated.steps.map(({ calls }) =>
        calls.filter(({ name }) => name === "writeFile").map(({ args }) => String(args.path)),
      );
      assert.deepEqual(wrote[0], ["package.json", "tsconfig.json", "vite.config.ts", "index.html"]);
      const folders = ["components", "pages", "hooks", "types", "utils"];
      for (const [index, folder] of folders.entries()) {
        const paths = wrote[index + 2] ?? [];
        assert.ok(paths.length > 0);
        assert.ok(
          paths.every((path) => path.startsWith(`src/${folder}/`)),
          paths.join(),
        );
      }
      assert.deepEqual([wrote[7], wrote[8]], [["README.md"], []]);
    });

    it("is well-formed, file by file", async () => {
      for (const [path, source] of generated.files) {
        if (path.endsWith(".json")) JSON.parse(source);
        else if (/\.tsx?$/.test(path)) await transform(source, { loader: "tsx", jsx: "automatic" });
      }
    });

    it("passes tsc and vite build", { skip: !BUILD, timeout: BUILD_TIMEOUT_MS }, async () => {
      const folder = await mkdtemp(join(tmpdir(), "polaris-generated-"));
      try {
        for (const [path, source] of generated.files) {
          await mkdir(dirname(join(folder, path)), { recursive: true });
          await writeFile(join(folder, path), source);
        }
        const npm = (...args: string[]) => promisify(execFile)("npm", args, { cwd: folder });
        await npm("install", "--no-audit", "--no-fund");
        await npm("run", "build");
        assert.match(await readFile(join(folder, "dist/index.html"), "utf8"), /assets\/index-/);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
}

describe("the plans", () => {
  it("of the default name the client product, the general one what is described", () => {
    const pages = (general: boolean) =>
      [...generatedFiles(RECIPES, general).keys()].filter((path) => path.startsWith("src/pages/"));
    const names = ["AddClient", "ClientDetail", "Clients", "Dashboard", "Tasks"];
    assert.deepEqual(
      pages(false).sort(),
      names.map((name) => `src/pages/${name}.tsx`),
    );
    assert.ok(pages(true).includes("src/pages/Recipes.tsx"));
  });

  it("leave what was found to be wrong to others, and begin no step again", async () => {
    const files = new Map([["a.ts", 'import "./b";\n']]);
    const path = new URL("../../prompts/generate-project.default.md", import.meta.url);
    const [system = "", repair = ""] = (await readFile(path, "utf8"))
      .split(/^## .*$/m)
      .filter((_, index, all) => index === 0 || index === all.length - 1);
    const text = `Project description:\nA shop\n\n${repair.trim()}\n\nProblems:\n- a.ts:1: no file\n\nFiles:\n\na.ts\n`;
    const { steps } = await converse(model.baseUrl, text, files, TOOLS, { system });
    assert.equal(steps, 1);
    assert.deepEqual([...files.keys()], ["a.ts"]);
  });

  it("give a README with the pages that are really there", async () => {
    const { system, instructions } = await sections("default");
    const files = new Map([["src/pages/Other.tsx", ""]]);
    const text = `Project description:\nA shop\n\n${instructions[7]}`;
    await converse(model.baseUrl, text, files, TOOLS, { system, firstTool: "writeFile" });
    assert.match(files.get("README.md") ?? "", /## Pages\n\n- Other\n$/);
  });
});
