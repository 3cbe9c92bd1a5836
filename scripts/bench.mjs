// npm run bench: sets up what is missing, builds the release addon and the bench's own programs,
// installs the peers apart from the root's packages, then bench/run.ts.

import { copyFileSync, existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { run } from "./process.mjs";
import { main, npmCommand, ROOT, SetupError, setup, stalePackages } from "./setup.mjs";

const BENCH = join(ROOT, "bench");
const RELEASE = join(ROOT, "target", "release");
/** Beside npm/polaris.*.node, not over it: tests and the stack go on with the one that they have. */
const ADDON = join(RELEASE, "polaris-bench.node");

await main(async () => {
  await setup({ addon: false });
  await buildPrograms();
  await installPeers();
  const { register } = await import("tsx/esm/api");
  register();
  await import("../bench/run.ts");
});

async function buildPrograms() {
  const begun = Date.now();
  // Cargo says itself what it compiles; when all is fresh it says nothing that matters.
  const packages = ["polaris-node", "polaris-sandbox", "polaris-bench"];
  const args = ["build", "--release", ...packages.flatMap((name) => ["--package", name])];
  if (!existsSync(ADDON)) {
    say("building the release addon and the bench programs (cargo): they have not been built here");
  }
  const { code, output, errors } = await run("cargo", args, { cwd: ROOT, quiet: true });
  if (code === 127) {
    throw new SetupError("npm run bench needs cargo: install Rust from https://rustup.rs.");
  }
  if (code !== 0) throw new SetupError(`The release build failed.\n${output}${errors}`.trim());
  if (Date.now() - begun > 5_000) say("the release build is there");
  const fresh = `${ADDON}.${process.pid}`;
  copyFileSync(join(RELEASE, libraryName()), fresh);
  renameSync(fresh, ADDON);
}

function libraryName() {
  if (process.platform === "win32") return "polaris_node.dll";
  return `libpolaris_node.${process.platform === "darwin" ? "dylib" : "so"}`;
}

async function installPeers() {
  const why = stalePackages(BENCH);
  if (why === undefined) return;
  say(`installing the peers into bench/node_modules (npm ci): ${why}`);
  const [npm, before] = npmCommand();
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const args = [...before, "ci", ...quiet];
  const { code, output, errors } = await run(npm, args, { cwd: BENCH, quiet: true });
  if (code !== 0) throw new SetupError(`The peers could not be installed.\n${output}${errors}`);
}

function say(line) {
  process.stderr.write(`polaris: ${line}\n`);
}
