// What is published, as folders and as packed files: the root package, one package per platform, and
// the local stack. The repository's own package.json names no platform package, because npm cannot
// install what is not published yet; the release adds them here. Plain Node, no dependency.
//
//   node scripts/package.mjs --out DIR [--artifacts DIR] [--repository URL] [--require-all]
//
// `--artifacts` holds polaris.<platform>.node files and, in folders named after the platform, helpers;
// default: npm/. Prints the packed files, platform packages first: they are published in that order.

import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { run } from "./process.mjs";
import { main, npmCommand, ROOT, SetupError } from "./setup.mjs";

const NAME = "polaris-agent";
const HELPERS = ["polaris-sandbox", "polaris-sandbox.exe"];

/** The platforms that there is a folder for. */
export function platforms() {
  return readdirSync(join(ROOT, "npm"))
    .filter((name) => existsSync(join(ROOT, "npm", name, "package.json")))
    .filter((name) => readManifest(join(ROOT, "npm", name)).main?.endsWith(".node"))
    .sort();
}

export function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/** The version that all published packages share; differing ones are an error. */
export function version() {
  const { version } = readManifest(ROOT);
  const folders = [...platforms(), "local"].map((name) => join(ROOT, "npm", name));
  for (const folder of folders.filter((name) => existsSync(join(name, "package.json")))) {
    const other = readManifest(folder).version;
    if (other !== version) {
      throw new SetupError(`${folder} is version ${other}, the root package is ${version}`);
    }
  }
  return version;
}

function writeManifest(folder, manifest) {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

function fresh(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}

/** A platform package with the given addon, and the helper where there is one. */
export function stagePlatform(triple, { out, addon, helper, repository }) {
  fresh(out);
  const source = join(ROOT, "npm", triple);
  const manifest = readManifest(source);
  copyFileSync(addon, join(out, manifest.main));
  if (helper !== undefined) {
    const placed = join(out, HELPERS.find((name) => helper.endsWith(name)) ?? HELPERS[0]);
    copyFileSync(helper, placed);
    // What was carried from machine to machine as an artifact has lost its mode.
    chmodSync(placed, 0o755);
  }
  for (const name of ["LICENSE"]) copyFileSync(join(ROOT, name), join(out, name));
  writeFileSync(
    join(out, "README.md"),
    `# ${manifest.name}\n\n${manifest.description}. Installed by the package ${NAME}; not for use on its own.\n`,
  );
  writeManifest(out, { ...manifest, ...(repository ? repositoryOf(repository) : {}) });
  return out;
}

/** The root package: only what its `files` name, with the platform packages of its own version. */
export async function stageRoot({ out, triples, repository }) {
  const number = version();
  // The build writes the version in.
  const program = join(ROOT, "npm", "dist", "cli.mjs");
  const { output } = await run(process.execPath, [program, "--version"], { quiet: true });
  const built = output.trim() || "none";
  if (built !== number) {
    throw new SetupError(`npm/dist is of version ${built}, not ${number}: run node npm/build.mjs`);
  }
  fresh(out);
  const { files } = await pack(ROOT, { dryRun: true });
  for (const file of files) {
    if (file === "package.json") continue;
    mkdirSync(dirname(join(out, file)), { recursive: true });
    copyFileSync(join(ROOT, file), join(out, file));
  }
  // What only a checkout needs is left out: an install would fetch or run some of it.
  const {
    devDependencies: _dev,
    scripts: _scripts,
    workspaces: _workspaces,
    napi: _napi,
    overrides: _overrides,
    ...manifest
  } = readManifest(ROOT);
  writeManifest(out, {
    ...manifest,
    ...(repository ? repositoryOf(repository) : {}),
    optionalDependencies: {
      ...manifest.optionalDependencies,
      ...Object.fromEntries(triples.map((triple) => [`${NAME}-${triple}`, number])),
    },
  });
  return out;
}

/** The local stack, as npm/local/build.mjs has built it. */
export function stageLocal({ out, repository }) {
  fresh(out);
  const source = join(ROOT, "npm", "local");
  cpSync(join(source, "dist"), join(out, "dist"), { recursive: true });
  for (const name of ["README.md"]) copyFileSync(join(source, name), join(out, name));
  copyFileSync(join(ROOT, "LICENSE"), join(out, "LICENSE"));
  writeManifest(out, { ...readManifest(source), ...(repository ? repositoryOf(repository) : {}) });
  return out;
}

/** Provenance is refused without it. */
function repositoryOf(url) {
  return { repository: { type: "git", url: `git+${url.replace(/\.git$/, "")}.git` } };
}

/**
 * Packs a folder without running its scripts.
 * @returns {Promise<{ file: string, files: string[], bytes: number }>}
 */
export async function pack(folder, { to = folder, dryRun = false } = {}) {
  const args = ["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination", to];
  if (dryRun) args.push("--dry-run");
  mkdirSync(to, { recursive: true });
  const [program, before] = npmCommand();
  const { code, output, errors } = await run(program, [...before, ...args], {
    cwd: folder,
    quiet: true,
  });
  if (code !== 0) throw new SetupError(`${folder} could not be packed.\n${errors}`);
  // npm 11 and newer: an object by package name; before: an array.
  const parsed = JSON.parse(output.slice(output.search(/^[[{]/m)));
  const [packed] = Array.isArray(parsed) ? parsed : Object.values(parsed);
  const { filename, files, size } = packed;
  return { file: join(to, filename), files: files.map(({ path }) => path), bytes: size };
}

/** The helper that stands beside an addon, or in a folder named after the platform. */
export function helperOf(artifacts, triple) {
  return [join(artifacts, triple), ...(artifacts === join(ROOT, "npm") ? [artifacts] : [])]
    .flatMap((folder) => HELPERS.map((name) => join(folder, name)))
    .find((path) => existsSync(path));
}

async function packAll() {
  const { values } = parseArgs({
    options: {
      out: { type: "string" },
      artifacts: { type: "string", default: join(ROOT, "npm") },
      repository: { type: "string" },
      "require-all": { type: "boolean", default: false },
    },
  });
  if (values.out === undefined) throw new SetupError("--out names the folder to pack into");
  const out = resolve(values.out);
  const artifacts = resolve(values.artifacts);
  const { repository } = values;
  const addonOf = (triple) =>
    [join(artifacts, triple), artifacts]
      .map((folder) => join(folder, `polaris.${triple}.node`))
      .find((path) => existsSync(path));
  const triples = platforms().filter((triple) => addonOf(triple) !== undefined);
  const missing = platforms().filter((triple) => !triples.includes(triple));
  if (missing.length > 0 && values["require-all"]) {
    throw new SetupError(`there is no addon for ${missing.join(", ")} in ${artifacts}`);
  }
  const staged = triples.map((triple) => {
    const helper = helperOf(artifacts, triple);
    if (helper === undefined && triple.startsWith("linux-") && values["require-all"]) {
      throw new SetupError(`there is no polaris-sandbox for ${triple} in ${artifacts}`);
    }
    const folder = join(out, "stage", triple);
    return stagePlatform(triple, { out: folder, addon: addonOf(triple), helper, repository });
  });
  staged.push(stageLocal({ out: join(out, "stage", "local"), repository }));
  staged.push(await stageRoot({ out: join(out, "stage", "root"), triples, repository }));
  for (const folder of staged) {
    const { file, bytes } = await pack(folder, { to: out });
    process.stdout.write(`${file}  ${(bytes / 1024 / 1024).toFixed(2)} MiB\n`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main(packAll);
