// npm run test:install [-- FILE ...]: packs what would be published, then tests the packed files as a
// user has them (__test__/install/). Fetches the Node versions and the linters of packages once.

import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  helperOf,
  pack,
  platforms,
  readManifest,
  stageLocal,
  stagePlatform,
  stageRoot,
} from "./package.mjs";
import { run } from "./process.mjs";
import {
  addonPath,
  main,
  npmCommand,
  platformTriples,
  ROOT,
  SetupError,
  setup,
  stalePackages,
} from "./setup.mjs";
import { runNodeTests, summary } from "./tests.mjs";

/** The oldest release that `engines` allows, and later lines. */
const NODES = { node20: "20.19.5", node22: "22.23.3", node24: "24.9.0" };
/** A file starts whole stacks and builds, one after the other, on a machine that may be slow. */
const FILE_TIMEOUT_MS = 1_200_000;
const NODES_FOLDER = join(ROOT, ".polaris", "nodes");
const TOOLS = join(ROOT, "__test__", "install", "tools");
const ALL = [
  "package",
  "use",
  "trigger",
  "dev",
  "init",
  "init-sdk",
  "init-kit",
  "init-several",
  "commands",
];

await main(async () => {
  await setup();
  await fetchNodes();
  await installTools();
  const built = await run(process.execPath, [join(ROOT, "npm/local/build.mjs")], { quiet: true });
  if (built.code !== 0) throw new SetupError(`npm/local could not be built.\n${built.errors}`);
  const folder = mkdtempSync(join(tmpdir(), "polaris-install-"));
  try {
    writeFileSync(join(folder, "packed.json"), JSON.stringify(await packAll(folder)));
    process.env.POLARIS_PACKED = folder;
    process.env.POLARIS_NODES = NODES_FOLDER;
    const named = process.argv.slice(2).filter((name) => !name.startsWith("-"));
    const files = (named.length > 0 ? named : ALL)
      .map((name) => `__test__/install/${name}.install.ts`)
      .filter((file) => named.length > 0 || existsSync(join(ROOT, file)));
    const counts = await runNodeTests(files, { concurrency: 1, timeoutMs: FILE_TIMEOUT_MS });
    process.stdout.write(`\n${summary(counts)}\n`);
    process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function packAll(folder) {
  const [triple] = platformTriples();
  const { addon, release } = chooseAddon();
  const helper = helperOf(join(ROOT, "npm"), triple);
  const stage = (name) => join(folder, "stage", name);
  const packed = { triple, release, packages: [], others: [] };
  for (const staged of [
    stagePlatform(triple, { out: stage("platform"), addon, helper }),
    await stageRoot({ out: stage("root"), triples: platforms() }),
    stageLocal({ out: stage("local") }),
  ]) {
    const { file, files, bytes } = await pack(staged, { to: folder });
    packed.packages.push({ manifest: readManifest(staged), file, files, bytes, staged });
  }
  for (const other of platforms().filter((name) => name !== triple)) {
    packed.others.push(readManifest(join(ROOT, "npm", other)));
  }
  return packed;
}

/** The release build where there is one of these sources; else the one that tests use. */
function chooseAddon() {
  const library = { win32: "polaris_node.dll", darwin: "libpolaris_node.dylib" };
  const release = join(
    ROOT,
    "target",
    "release",
    library[process.platform] ?? "libpolaris_node.so",
  );
  const debug = addonPath();
  if (existsSync(release) && statSync(release).mtimeMs >= statSync(debug).mtimeMs) {
    return { addon: release, release: true };
  }
  say(
    "no release build of these sources, so the debug addon is packed and its size is not tested; npm run build makes one",
  );
  return { addon: debug, release: false };
}

async function fetchNodes() {
  const system = process.platform === "win32" ? "win" : process.platform;
  const missing = Object.entries(NODES).filter(([alias, version]) => {
    const manifest = join(NODES_FOLDER, "node_modules", alias, "package.json");
    return !existsSync(manifest) || !readManifest(join(manifest, "..")).version.endsWith(version);
  });
  if (missing.length === 0) return;
  say(`fetching Node ${missing.map(([, version]) => version).join(", ")} (npm, once)`);
  mkdirSync(NODES_FOLDER, { recursive: true });
  writeFileSync(join(NODES_FOLDER, "package.json"), '{"private":true}\n');
  const wanted = Object.entries(NODES).map(
    ([alias, version]) => `${alias}@npm:node-${system}-${process.arch}@${version}`,
  );
  await npm(NODES_FOLDER, "install", "--no-save", ...wanted);
}

async function installTools() {
  const why = stalePackages(TOOLS);
  if (why === undefined) return;
  say(`installing publint and attw into __test__/install/tools (npm ci): ${why}`);
  await npm(TOOLS, "ci");
}

async function npm(cwd, ...args) {
  const [program, before] = npmCommand();
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const all = [...before, ...args, ...quiet];
  const { code, output, errors } = await run(program, all, { cwd, quiet: true });
  if (code !== 0) throw new SetupError(`npm ${args[0]} failed.\n${output}${errors}`);
}

function say(line) {
  process.stderr.write(`polaris: ${line}\n`);
}
