// Writes crates/core/contract.json: kind, arguments and result of every public function of the app,
// as their validators say. The core's tests check every call that it makes against this file.
//   node --import tsx local/convex/contract.ts            writes it
//   node --import tsx local/convex/contract.ts --check    fails when it is stale
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { loadDeployment } from "./engine/modules.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const FUNCTIONS = join(REPOSITORY, "app/convex");
const CONTRACT = join(REPOSITORY, "crates/core/contract.json");

export async function contractText(functions = FUNCTIONS): Promise<string> {
  const bundle = await mkdtemp(join(tmpdir(), "convex-contract-"));
  try {
    const deployment = await loadDeployment(functions, bundle);
    const described = [...deployment.functions.values()]
      .filter((fn) => fn.isPublic)
      .map(({ path, kind, args, returns }) => [path, { kind, args, returns }] as const);
    const contract = { functions: Object.fromEntries(described) };
    return `${JSON.stringify(sortKeys(contract), null, 2)}\n`;
  } finally {
    await rm(bundle, { recursive: true, force: true });
  }
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sortKeys(item)]));
}

async function main(): Promise<void> {
  const text = await contractText();
  const name = relative(REPOSITORY, CONTRACT);
  if (!process.argv.includes("--check")) {
    await mkdir(dirname(CONTRACT), { recursive: true });
    await writeFile(CONTRACT, text);
    process.stderr.write(`wrote ${name}\n`);
    return;
  }
  const stored = await readFile(CONTRACT, "utf8").catch(() => "");
  if (stored === text) return;
  process.stderr.write(
    `${name} is ${stored === "" ? "missing" : "stale"}: run \`node --import tsx local/convex/contract.ts\`\n`,
  );
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
