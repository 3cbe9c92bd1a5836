// Checks that app/convex/_generated is what the Convex CLI would write now: generates it for a copy of
// the functions and compares. Works offline, by a hidden switch of the pinned CLI.
//   node --import tsx local/convex/codegen-check.ts            writes it
//   node --import tsx local/convex/codegen-check.ts --check    fails when it is stale
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const FUNCTIONS = join(REPOSITORY, "app/convex");
const GENERATED = join(FUNCTIONS, "_generated");
const require = createRequire(import.meta.url);

const run = promisify(execFile);

/** File name → text, as the CLI generates it. */
export async function generate(functions = FUNCTIONS): Promise<Map<string, string>> {
  const project = await mkdtemp(join(tmpdir(), "convex-codegen-"));
  try {
    await cp(functions, join(project, "convex"), {
      recursive: true,
      filter: (source) => !source.includes("_generated"),
    });
    const { version } = require("convex/package.json") as { version: string };
    const manifest = {
      name: "codegen",
      private: true,
      type: "module",
      dependencies: { convex: version },
    };
    await writeFile(join(project, "package.json"), JSON.stringify(manifest));
    await symlink(join(REPOSITORY, "node_modules"), join(project, "node_modules"), "junction");
    const cli = join(dirname(require.resolve("convex/package.json")), "bin/main.js");
    await run(process.execPath, [cli, "codegen", "--system-udfs", "--typecheck", "disable"], {
      cwd: project,
      // Nothing of a real deployment's settings may reach the CLI here.
      env: { PATH: process.env.PATH, HOME: project, NODE_ENV: "development" },
    });
    return await readFolder(join(project, "convex/_generated"));
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

export async function readFolder(folder: string): Promise<Map<string, string>> {
  const names = await readdir(folder).catch(() => []);
  return new Map(
    await Promise.all(
      names.sort().map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const),
    ),
  );
}

/** Names of files that differ, are missing or are too many. */
export function differences(stored: Map<string, string>, fresh: Map<string, string>): string[] {
  const names = new Set([...stored.keys(), ...fresh.keys()]);
  return [...names].filter((name) => stored.get(name) !== fresh.get(name)).sort();
}

async function main(): Promise<void> {
  const fresh = await generate();
  const stale = differences(await readFolder(GENERATED), fresh);
  if (stale.length === 0) return;
  if (process.argv.includes("--check")) {
    process.stderr.write(
      `app/convex/_generated is stale (${stale.join(", ")}): ` +
        "run `node --import tsx local/convex/codegen-check.ts`\n",
    );
    process.exitCode = 1;
    return;
  }
  await rm(GENERATED, { recursive: true, force: true });
  await mkdir(GENERATED, { recursive: true });
  for (const [name, text] of fresh) await writeFile(join(GENERATED, name), text);
  process.stderr.write(`wrote app/convex/_generated (${stale.join(", ")})\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
