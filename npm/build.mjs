// Builds npm/dist from npm/src: per entry one CommonJS file, an ES module that re-exports it (so that
// there is one copy of the classes and of the addon, however the package is imported), the types for
// both, and the command line program. Plain Node; does nothing when npm/dist is newer than everything
// that it is made of. `--check` builds nothing and fails if npm/dist is not what a build would make.

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCE = join(HERE, "src");
const TARGET = join(HERE, "dist");
/** Its version is written in. */
const MANIFEST = join(HERE, "..", "package.json");
/** The oldest Node that package.json's `engines` allows. */
const NODE = "node20.19";
const ENTRIES = ["index", "trigger"];

/** @returns {Promise<Map<string, string>>} contents by file name */
async function outputs() {
  const files = new Map();
  for (const entry of ENTRIES) {
    const cjs = await bundle(`${entry}.ts`, COMMON_JS);
    files.set(`${entry}.cjs`, cjs);
    files.set(`${entry}.import.cjs`, importedOf(entry));
    files.set(`${entry}.mjs`, moduleOf(entry, namesIn(entry, cjs)));
  }
  files.set("cli.mjs", await bundle("cli/main.ts", PROGRAM));
  for (const [name, types] of await declarations()) {
    files.set(`${name}.d.ts`, types.replaceAll(IMPORT, '$1.js"'));
    files.set(`${name}.d.cts`, types.replaceAll(IMPORT, '$1.cjs"'));
  }
  return files;
}

const IMPORT = /(from "\.\/[\w.-]+)\.ts"/g;

const COMMON_JS = {
  format: "cjs",
  banner: { js: 'const __url = require("node:url").pathToFileURL(__filename).href;' },
  define: { "import.meta.url": "__url" },
};
const PROGRAM = { format: "esm", banner: { js: "#!/usr/bin/env node" } };

async function bundle(entry, options) {
  const { build } = await import("esbuild");
  const result = await build({
    entryPoints: [join(SOURCE, entry)],
    bundle: true,
    platform: "node",
    target: NODE,
    write: false,
    keepNames: true,
    charset: "utf8",
    legalComments: "none",
    loader: { ".md": "text" },
    ...options,
  });
  return result.outputFiles[0].text;
}

/** What the CommonJS file exports, asked of itself: loading it loads no addon. */
function namesIn(entry, code) {
  const module = { exports: {} };
  const file = join(TARGET, `${entry}.cjs`);
  const load = new Function("module", "exports", "require", "__filename", "__dirname", code);
  load(module, module.exports, createRequire(pathToFileURL(file)), file, TARGET);
  return Object.keys(module.exports).sort();
}

/**
 * What the ES module imports. Node looks through a CommonJS file that is imported for names that it
 * exports, by a lexer in JavaScript, which V8 then optimises: 45 ms of CPU and 8 MB for the whole file.
 * In this one there is nothing to look through, and the lexer does not see where the names come from.
 */
function importedOf(entry) {
  return `const polaris = require("./${entry}.cjs");\nmodule.exports = polaris;\n`;
}

function moduleOf(entry, names) {
  const list = names.map((name) => `  ${name},\n`).join("");
  return `import polaris from "./${entry}.import.cjs";\n\nexport const {\n${list}} = polaris;\n`;
}

/** The types of all sources. What is wrong with them is for `tsc` to say, so nothing is checked. */
async function declarations() {
  const { default: ts } = await import("typescript");
  const types = new Map();
  const program = ts.createProgram(
    readdirSync(SOURCE)
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .map((name) => join(SOURCE, name)),
    {
      declaration: true,
      emitDeclarationOnly: true,
      noCheck: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      target: ts.ScriptTarget.ES2023,
      allowImportingTsExtensions: true,
      // Without the standard library it is twice as fast; every exported name has its type written out.
      noLib: true,
      types: [],
    },
  );
  program.emit(undefined, (file, text) => types.set(basename(file, ".d.ts"), text));
  return types;
}

function present() {
  try {
    const names = readdirSync(TARGET).sort();
    return new Map(names.map((name) => [name, readFileSync(join(TARGET, name), "utf8")]));
  } catch {
    return new Map();
  }
}

/** Whether a file of npm/dist is missing or older than what it is made of. */
function outdated() {
  try {
    const made = readdirSync(TARGET).map((name) => statSync(join(TARGET, name)).mtimeMs);
    const from = readdirSync(SOURCE, { recursive: true }).map((name) => join(SOURCE, name));
    const others = [fileURLToPath(import.meta.url), MANIFEST];
    const sources = [...others, ...from].map((file) => statSync(file).mtimeMs);
    return made.length === 0 || Math.min(...made) < Math.max(...sources);
  } catch {
    return true;
  }
}

if (process.argv.includes("--check")) {
  const [wanted, there] = [await outputs(), present()];
  const same =
    wanted.size === there.size && [...wanted].every(([k, text]) => there.get(k) === text);
  if (!same) {
    process.stderr.write("npm/dist is not what npm/src builds to: run node npm/build.mjs\n");
    process.exitCode = 1;
  }
} else if (outdated()) {
  const wanted = await outputs();
  rmSync(TARGET, { recursive: true, force: true });
  mkdirSync(TARGET, { recursive: true });
  for (const [name, text] of wanted) writeFileSync(join(TARGET, name), text);
}
