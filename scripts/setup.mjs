// Makes sure that a command can run: the right Node, installed packages, a built addon. Says in one
// line on stderr what it sets up and why; says nothing when all is there. Plain Node, no dependency.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundleOf, ensureLocalCode } from "./local-code.mjs";
import { run } from "./process.mjs";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
/** What commands of a model are tried out with inside the sandbox, apart from the root's packages. */
export const SANDBOX_TOOLS = join(ROOT, "__test__/sandbox/tools");
const LEAST_NODE = [20, 19];
const LOCK_WAIT_MS = 250;

/** What a person can act on; printed without a stack. */
export class SetupError extends Error {}

function say(line) {
  process.stderr.write(`polaris: ${line}\n`);
}

/**
 * @param {{ addon?: boolean, packages?: boolean, app?: boolean }} needs `app`: the production build of
 *   the app, where none has been made yet
 */
export async function setup({ addon = true, packages = true, app = false } = {}) {
  checkNode();
  putCargoOnPath();
  await oneAtATime(async () => {
    if (packages) await ensurePackages();
    const building = app ? ensureFirstBuild() : undefined;
    building?.catch(() => undefined);
    if (addon) await ensureAddon();
    await ensurePackageCode();
    await ensureLocalCode();
    await building;
  });
}

/** One that is old is for whoever starts the app to judge. */
async function ensureFirstBuild() {
  if (existsSync(join(ROOT, "app", ".next", "BUILD_ID"))) return;
  say("building the app (next build): it has not been built on this machine");
  const { code, output, errors } = await run(
    process.execPath,
    ["--import", "tsx", join(ROOT, "local", "app", "build.ts")],
    { cwd: ROOT, quiet: true },
  );
  if (code !== 0) throw new SetupError(wordsOf({ output, errors }));
}

export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = LEAST_NODE;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  throw new SetupError(
    `Node ${leastMajor}.${leastMinor} or newer is needed, this is ${version}. Install it from https://nodejs.org or with your version manager.`,
  );
}

/** rustup's folder is often missing from the PATH of shells that were open when it was installed. */
function putCargoOnPath() {
  const cargo = join(process.env.CARGO_HOME || join(homedir(), ".cargo"), "bin");
  const path = (process.env.PATH ?? "").split(delimiter);
  if (existsSync(cargo) && !path.includes(cargo)) {
    process.env.PATH = [...path, cargo].join(delimiter);
  }
}

// ---- packages ----

/** Why the installed packages are not what package-lock.json says; undefined: they are. */
export function stalePackages(root = ROOT) {
  const lockPath = join(root, "package-lock.json");
  const installedPath = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(lockPath))
    throw new SetupError("package-lock.json is missing from this checkout.");
  if (!existsSync(installedPath)) return "no packages are installed yet";
  const wanted = JSON.parse(readFileSync(lockPath, "utf8")).packages ?? {};
  const installed = JSON.parse(readFileSync(installedPath, "utf8")).packages ?? {};
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.startsWith("node_modules/") && !path.includes("/node_modules/")) continue;
    if (entry.link === true) continue;
    const found = installed[path];
    // Packages for other platforms are in the lock file and never installed.
    if (found === undefined && (entry.optional === true || entry.devOptional === true)) continue;
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    if (found === undefined) return `${name} is not installed`;
    if (found.version !== entry.version) {
      return `${name} is ${found.version}, package-lock.json says ${entry.version}`;
    }
  }
  return undefined;
}

/** Installs what a folder's lock file says, if that is not what is there. */
export async function ensurePackages(root = ROOT) {
  const why = stalePackages(root);
  if (why === undefined) return;
  const where = root === ROOT ? "" : ` of ${relative(ROOT, root)}`;
  say(`installing packages${where} (npm ci): ${why}`);
  let result = await npm(root, "ci");
  // A registry that lacks packages for other platforms (a mirror, say) makes a lock file without
  // them, which `npm ci` refuses. `npm install` takes the same versions from it, and leaves it alone.
  if (result.code !== 0 && /EUSAGE/.test(result.errors)) {
    say("npm ci refuses the lock file, installing its versions with npm install --no-save");
    result = await npm(root, "install", "--no-save");
  }
  if (result.code !== 0) {
    throw new SetupError(
      `The packages could not be installed (npm exit code ${result.code}).\n${wordsOf(result)}`,
    );
  }
}

function npm(cwd, ...command) {
  const [program, before] = npmCommand();
  // Nothing here needs install scripts of dependencies, so none are run.
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  return run(program, [...before, ...command, ...quiet], { cwd, quiet: true });
}

const MAX_SHOWN_LINES = 40;

/** What a quiet command said, its end where it is long. */
function wordsOf({ output, errors }) {
  return `${output}\n${errors}`.trim().split("\n").slice(-MAX_SHOWN_LINES).join("\n");
}

/** As a program and its first arguments: npm.cmd cannot be started without a shell. */
export function npmCommand() {
  const path = process.env.npm_execpath;
  if (path?.endsWith("npm-cli.js") && existsSync(path)) return [process.execPath, [path]];
  return [process.platform === "win32" ? "npm.cmd" : "npm", []];
}

// ---- addon ----

/** What of a crate is not part of the addon. */
const NOT_BUILT = new Set(["target", "tests", "examples", "benches", "contract.json"]);
const SOURCES = ["crates", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];

/** The names that napi-rs gives the addon of this platform. */
export function platformTriples() {
  const { platform, arch } = process;
  if (platform === "linux") {
    const glibc = process.report?.getReport()?.header?.glibcVersionRuntime;
    return [`linux-${arch}-${glibc === undefined ? "musl" : "gnu"}`];
  }
  if (platform === "win32") return [`win32-${arch}-msvc`];
  return [`${platform}-${arch}`];
}

function napiConfig() {
  const napi = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).napi ?? {};
  return { binary: napi.binaryName ?? "polaris", packageName: napi.packageName ?? "polaris-agent" };
}

/** Where a build puts the addon of this platform. */
export function addonPath() {
  const [triple] = platformTriples();
  return join(ROOT, "npm", `${napiConfig().binary}.${triple}.node`);
}

function newest(path) {
  let stats;
  try {
    stats = statSync(path);
  } catch {
    return { at: 0, path };
  }
  if (!stats.isDirectory()) return { at: stats.mtimeMs, path };
  let latest = { at: 0, path };
  for (const name of readdirSync(path)) {
    if (NOT_BUILT.has(name) || name.startsWith(".")) continue;
    const found = newest(join(path, name));
    if (found.at > latest.at) latest = found;
  }
  return latest;
}

/** Why the addon has to be built; undefined: it is there and newer than its sources. */
export function staleAddon(addon = addonPath(), sources = SOURCES.map((name) => join(ROOT, name))) {
  if (!existsSync(addon)) return "it has not been built on this machine";
  const built = statSync(addon).mtimeMs;
  for (const source of sources) {
    const { at, path } = newest(source);
    if (at > built) return `${path.slice(ROOT.length + 1)} is newer`;
  }
  return undefined;
}

function versionOfCheckout() {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;
}

/** The published addon of exactly this checkout's version; another version would be refused. */
function publishedAddon() {
  const require = createRequire(join(ROOT, "package.json"));
  for (const triple of platformTriples()) {
    const name = `${napiConfig().packageName}-${triple}`;
    try {
      if (require(`${name}/package.json`).version === versionOfCheckout()) return name;
    } catch {
      // Not published for, or not installed on, this platform.
    }
  }
  return undefined;
}

/** @returns {Promise<boolean>} whether it is there now */
async function fetchPublishedAddon() {
  const [triple] = platformTriples();
  const name = `${napiConfig().packageName}-${triple}@${versionOfCheckout()}`;
  say(`cargo is not installed, fetching the published addon (${name})`);
  const { code } = await npm("install", "--no-save", name);
  return code === 0 && publishedAddon() !== undefined;
}

async function ensureAddon() {
  const why = staleAddon();
  if (why === undefined) return;
  const { code } = await run("cargo", ["--version"], { quiet: true });
  if (code !== 0) {
    if (existsSync(addonPath())) {
      say(`keeping the addon as it is, cargo is not installed (${why})`);
      return;
    }
    if (publishedAddon() !== undefined || (await fetchPublishedAddon())) return;
    const [triple] = platformTriples();
    throw new SetupError(
      `The native addon for ${triple} is missing (${addonPath()}). Two ways on:\n` +
        "  - install Rust from https://rustup.rs and run this command again: it builds the addon, or\n" +
        `  - npm install --no-save ${napiConfig().packageName}-${triple}@${versionOfCheckout()}   (the published addon of this version)`,
    );
  }
  say(`building the addon (cargo, debug): ${why}`);
  await buildAddon({ release: false, quiet: true });
}

/** @param {{ release: boolean, quiet: boolean }} options */
export async function buildAddon({ release, quiet }) {
  const args = [join(ROOT, "npm", "build-addon.mjs"), ...(release ? ["--release"] : [])];
  const result = await run(process.execPath, args, { cwd: ROOT, quiet, toStderr: true });
  if (result.code !== 0) {
    throw new SetupError(
      `The addon could not be built (exit code ${result.code}).\n${wordsOf(result)}`,
    );
  }
  const why = staleAddon();
  if (why !== undefined) throw new SetupError(`The build made no ${addonPath()}: ${why}.`);
}

// ---- the package's own code ----

const PACKAGE_CODE = join(ROOT, "npm", "dist");
const PACKAGE_SOURCE = join(ROOT, "npm", "src");
/** Its version is written into the code. */
const PACKAGE_MANIFEST = join(ROOT, "package.json");

/** The official CLI bundles tasks against the built package, as it would be installed. */
async function ensurePackageCode() {
  if (!existsSync(PACKAGE_SOURCE)) return;
  const built = newest(PACKAGE_CODE).at;
  const source = [PACKAGE_SOURCE, PACKAGE_MANIFEST].map(newest).find(({ at }) => at > built);
  if (source === undefined) return;
  say(
    `building npm/dist: ${built === 0 ? "it has not been built" : `${source.path.slice(ROOT.length + 1)} is newer`}`,
  );
  await buildPackageCode();
}

export async function buildPackageCode() {
  const script = join(ROOT, "npm", "build.mjs");
  const result = await run(process.execPath, [script], { cwd: ROOT, quiet: true });
  if (result.code !== 0) throw new SetupError(`npm/dist could not be built.\n${wordsOf(result)}`);
}

// ---- one at a time ----

/** Two commands started together on a fresh checkout must not install over each other. */
async function oneAtATime(work) {
  const folder = join(ROOT, ".polaris");
  const lock = join(folder, "setup.lock");
  mkdirSync(folder, { recursive: true });
  let told = false;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const owner = Number(readFileOr(lock, ""));
    if (!(owner > 0 && isAlive(owner))) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!told) say(`waiting for the set-up that another command (process ${owner}) is doing`);
    told = true;
    await new Promise((settle) => setTimeout(settle, LOCK_WAIT_MS));
  }
  const release = () => rmSync(lock, { force: true });
  process.once("exit", release);
  try {
    await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

function readFileOr(path, otherwise) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

// ---- entries ----

/** Runs a script's body; what a person can act on is printed without a stack. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    if (error instanceof SetupError) process.stderr.write(`polaris: ${error.message}\n`);
    else process.stderr.write(`${error?.stack ?? error}\n`);
    process.exit(1);
  }
}

/** Sets up, then goes on with a command within this process: one process less to end. */
export async function runCommand(name, needs) {
  await main(async () => {
    await setup(needs);
    await import(pathToFileURL(bundleOf(name)).href);
  });
}

/** Sets up, then goes on in TypeScript within this process. */
export async function runTypeScript(entry) {
  await main(async () => {
    await setup();
    // Only now: before the set-up it may not have been installed.
    const { register } = await import("tsx/esm/api");
    register();
    await import(join(ROOT, entry));
  });
}
