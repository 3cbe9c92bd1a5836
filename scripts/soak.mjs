// npm run soak: sets up what is missing, builds the release addon (a debug build has not the speed for
// a thousand runs), then __test__/soak/main.ts.

import { copyFileSync, existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { run } from "./process.mjs";
import { main, ROOT, SetupError, setup } from "./setup.mjs";

const RELEASE = join(ROOT, "target", "release");
/** Beside npm/polaris.*.node, not over it: tests and the stack go on with the one that they have. */
const ADDON = join(RELEASE, "polaris-soak.node");

await main(async () => {
  await setup();
  await buildRelease();
  process.env.POLARIS_NATIVE_LIBRARY_PATH = ADDON;
  const { register } = await import("tsx/esm/api");
  register();
  await import("../__test__/soak/main.ts");
});

async function buildRelease() {
  if (!existsSync(ADDON)) say("building the release addon (cargo): it has not been built here");
  const args = ["build", "--release", "--package", "polaris-node"];
  const { code, output, errors } = await run("cargo", args, { cwd: ROOT, quiet: true });
  if (code === 127) {
    throw new SetupError("npm run soak needs cargo: install Rust from https://rustup.rs.");
  }
  if (code !== 0) throw new SetupError(`The release build failed.\n${output}${errors}`.trim());
  const fresh = `${ADDON}.${process.pid}`;
  copyFileSync(join(RELEASE, libraryName()), fresh);
  renameSync(fresh, ADDON);
}

function libraryName() {
  if (process.platform === "win32") return "polaris_node.dll";
  return `libpolaris_node.${process.platform === "darwin" ? "dylib" : "so"}`;
}

function say(line) {
  process.stderr.write(`polaris: ${line}\n`);
}
