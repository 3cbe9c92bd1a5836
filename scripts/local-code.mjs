// The local stack and its commands, bundled into .polaris/code. As sources, each of their processes
// compiles and loads a thousand modules one by one, and that is most of what a start waits for. Bundles
// are made anew when a source has changed; local/prepared.ts finds them. Plain Node.

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const FOLDER = join(ROOT, ".polaris", "code");
/** Which sources were bundled, with their times. */
const SOURCES = join(FOLDER, "sources.json");
const SERVICES = ["convex", "control-plane", "model", "firecrawl", "sentry"];
const COMMANDS = ["start", "dev", "say", "demo"];
/** Whoever runs an older bundle still loads its parts for so long. */
const KEPT_MS = 24 * 60 * 60 * 1000;
/** Native, started as programs, or to be there once for host and functions alike. */
const EXTERNAL = [
  ...["convex", "libsql", "esbuild", "next", "trigger.dev", "tsx", "typescript"],
  ...["@trigger.dev/sdk", "@sentry/node", "bufferutil", "utf-8-validate"],
].flatMap((name) => [name, `${name}/*`]);

/** Where a command's or a service's bundle is. */
export const bundleOf = (name) => join(FOLDER, `${name}.mjs`);

/** Why the bundles are not what the sources say; undefined: they are. */
export function staleLocalCode(sources = SOURCES, root = ROOT) {
  let known;
  try {
    known = Object.entries(JSON.parse(readFileSync(sources, "utf8")));
  } catch {
    return "it has not been bundled yet";
  }
  for (const [path, time] of known) {
    if (timeOf(join(root, path)) !== time) return `${path} has changed`;
  }
  return known.length === 0 ? "nothing was bundled" : undefined;
}

function timeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** Sources of ours know their own place, also inside of a bundle. */
const keepPlaces = {
  name: "keep-places",
  setup(build) {
    build.onLoad({ filter: /\.(ts|mjs)$/ }, ({ path }) => {
      if (path.includes("node_modules")) return undefined;
      const contents = readFileSync(path, "utf8")
        .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href))
        .replaceAll("import.meta.dirname", JSON.stringify(dirname(path)));
      return { contents, loader: path.endsWith(".ts") ? "ts" : "js" };
    });
  },
};

export async function ensureLocalCode() {
  if (staleLocalCode() === undefined) return;
  const { build } = await import("esbuild");
  const entries = [
    ...SERVICES.map((name) => [name, `local/${name}/main.ts`]),
    ...COMMANDS.map((name) => [name, `local/commands/${name}.ts`]),
  ];
  const { metafile, outputFiles } = await build({
    entryPoints: Object.fromEntries(entries),
    absWorkingDir: ROOT,
    outdir: FOLDER,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    sourcemap: "linked",
    keepNames: true,
    external: EXTERNAL,
    plugins: [keepPlaces],
    // CommonJS packages inside of an ES module.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
    metafile: true,
    write: false,
    logLevel: "silent",
  });
  const own = Object.keys(metafile.inputs)
    .map((path) => relative(ROOT, resolve(ROOT, path)))
    .filter((path) => !path.includes("node_modules") && !path.startsWith(".."));
  const sources = [...own, "package-lock.json", "scripts/local-code.mjs"].map((path) => [
    path,
    timeOf(join(ROOT, path)),
  ]);
  mkdirSync(FOLDER, { recursive: true });
  // First nothing counts as bundled, and at the end all of it.
  rmSync(SOURCES, { force: true });
  for (const { path, contents } of outputFiles) replace(path, contents);
  replace(SOURCES, JSON.stringify(Object.fromEntries(sources)));
  prune(new Set([SOURCES, ...outputFiles.map(({ path }) => path)]));
}

function replace(path, contents) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, contents);
  renameSync(draft, path);
}

function prune(wanted) {
  for (const name of readdirSync(FOLDER)) {
    const path = join(FOLDER, name);
    if (!wanted.has(path) && Date.now() - (timeOf(path) ?? 0) > KEPT_MS) rmSync(path);
  }
}
