// The release addon, for commands that measure or that need its speed. It lies beside the one that tests
// and the stack use, and takes its place for the command only.

import { copyFileSync, existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { run } from "./process.mjs";
import { main, ROOT, SetupError, setup } from "./setup.mjs";

const RELEASE = join(ROOT, "target", "release");

/**
 * Builds the release addon for `npm run COMMAND`, with these packages of the workspace beside it.
 *
 * @param {string} command
 * @param {readonly string[]} [packages]
 * @returns {Promise<string>} where it is
 */
export async function releaseAddon(command, packages = []) {
  const addon = join(RELEASE, `polaris-${command.replaceAll(":", "-")}.node`);
  const begun = Date.now();
  // Cargo says itself what it compiles; when all is fresh it says nothing that matters.
  const all = ["polaris-node", ...packages].flatMap((name) => ["--package", name]);
  if (!existsSync(addon)) say("building the release addon (cargo): it has not been built here");
  const args = ["build", "--release", ...all];
  const { code, output, errors } = await run("cargo", args, { cwd: ROOT, quiet: true });
  if (code === 127) {
    throw new SetupError(`npm run ${command} needs cargo: install Rust from https://rustup.rs.`);
  }
  if (code !== 0) throw new SetupError(`The release build failed.\n${output}${errors}`.trim());
  if (Date.now() - begun > 5_000) say("the release build is there");
  const fresh = `${addon}.${process.pid}`;
  copyFileSync(join(RELEASE, libraryName()), fresh);
  renameSync(fresh, addon);
  return addon;
}

/** Runs a TypeScript program with the release addon in place of the other one. */
export async function runRelease(command, entry) {
  await main(async () => {
    await setup();
    process.env.POLARIS_NATIVE_LIBRARY_PATH = await releaseAddon(command);
    const { register } = await import("tsx/esm/api");
    register();
    await import(join(ROOT, entry));
  });
}

function libraryName() {
  if (process.platform === "win32") return "polaris_node.dll";
  return `libpolaris_node.${process.platform === "darwin" ? "dylib" : "so"}`;
}

function say(line) {
  process.stderr.write(`polaris: ${line}\n`);
}
