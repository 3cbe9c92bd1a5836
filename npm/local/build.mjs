// Builds npm/local/dist, the published form of local/: the files that the program of a project needs,
// compiled one by one in their own layout, since services find each other and their pages by place.
// Does nothing when all is newer than its sources.

import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCE = resolve(HERE, "../../local");
const TARGET = join(HERE, "dist");
const ENTRIES = ["project/main.ts", "control-plane/main.ts", "convex/main.ts"];
/** Read or loaded at run time, by place. */
const ASSETS = ["control-plane/offline.mjs", "control-plane/page"];

/** The sources that the entries lead to, and the packages that these import. */
function closure() {
  const files = new Map();
  const packages = new Set();
  const open = ENTRIES.map((entry) => join(SOURCE, entry));
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file)) continue;
    const text = readFileSync(file, "utf8");
    files.set(file, text);
    // Types only: nothing is left of such an import.
    const code = text.replace(/^import type [^;]+;/gms, "");
    for (const { fileName: id } of ts.preProcessFile(code).importedFiles) {
      if (id.startsWith(".")) open.push(resolve(dirname(file), id));
      else
        packages.add(
          id
            .split("/")
            .slice(0, id.startsWith("@") ? 2 : 1)
            .join("/"),
        );
    }
  }
  return { files, packages };
}

const { files, packages } = closure();
for (const file of files.keys()) {
  if (relative(SOURCE, file).startsWith("..")) throw new Error(`${file} is not in local/`);
}
const { dependencies } = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8"));
const undeclared = [...packages].filter(
  (name) =>
    !name.startsWith("node:") && !builtinModules.includes(name) && dependencies[name] === undefined,
);
if (undeclared.length > 0)
  throw new Error(`not in npm/local/package.json: ${undeclared.join(", ")}`);

if (
  outdated([...files.keys(), fileURLToPath(import.meta.url), ...ASSETS.map((a) => join(SOURCE, a))])
) {
  rmSync(TARGET, { recursive: true, force: true });
  for (const [file, text] of files) {
    const { outputText } = ts.transpileModule(text, {
      fileName: file,
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    const out = join(TARGET, relative(SOURCE, file).replace(/\.ts$/, ".js"));
    mkdirSync(dirname(out), { recursive: true });
    const isProgram = file.endsWith(join("project", "main.ts"));
    writeFileSync(out, `${isProgram ? "#!/usr/bin/env node\n" : ""}${outputText}`);
  }
  for (const asset of ASSETS) {
    cpSync(join(SOURCE, asset), join(TARGET, asset), { recursive: true });
  }
}

function outdated(sources) {
  try {
    const made = readdirSync(TARGET, { recursive: true }).map((name) => join(TARGET, name));
    const times = made.map((file) => statSync(file)).filter((stats) => stats.isFile());
    const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
    return times.length === 0 || Math.min(...times.map((stats) => stats.mtimeMs)) < newest;
  } catch {
    return true;
  }
}
