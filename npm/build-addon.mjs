// Builds the addon of this machine with cargo and puts it where the loader looks first:
// npm/polaris.<platform>.node. `--release` for the optimised one. Prints its path.
//
// The addon is an ordinary cdylib, so cargo alone makes it. @napi-rs/cli would always name a target
// and so compile all dependencies a second time, apart from what `cargo test` has built. The other
// platforms are built by .github/workflows/build.yml, with cargo too.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, "..");
const CRATE = "polaris-node";
/** The program that confines commands. The addon looks for it beside itself. */
const HELPER = "polaris-sandbox";

const release = process.argv.includes("--release");
const cargo = spawnSync(
  "cargo",
  [
    "build",
    "--package",
    CRATE,
    "--package",
    HELPER,
    "--message-format=json-render-diagnostics",
    ...(release ? ["--release"] : []),
  ],
  { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"], encoding: "utf8", maxBuffer: 1 << 28 },
);
if (cargo.error !== undefined || cargo.status !== 0) {
  const why = cargo.error?.message ?? `cargo ended with exit code ${cargo.status}`;
  process.stderr.write(`the addon could not be built: ${why}\n`);
  process.exit(1);
}

const target = join(HERE, `polaris.${triple()}.node`);
mkdirSync(HERE, { recursive: true });
const program = process.platform === "win32" ? `${HELPER}.exe` : HELPER;
putInPlace(
  built(HELPER, (file) => /polaris-sandbox(\.exe)?$/.test(file)),
  join(HERE, program),
);
putInPlace(
  built(CRATE.replace("-", "_"), (file) => /\.(so|dylib|dll)$/.test(file)),
  target,
);
process.stdout.write(`${target}\n`);

/** Renamed into place: a process that has the old one loaded keeps it, and none sees half a file. */
function putInPlace(from, to) {
  const fresh = `${to}.${process.pid}`;
  try {
    copyFileSync(from, fresh);
    renameSync(fresh, to);
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** A file that was built, from cargo's own account: target folders can be configured away. */
function built(name, isWanted) {
  for (const line of cargo.stdout.split("\n").reverse()) {
    if (!line.startsWith("{")) continue;
    const { reason, target: made, filenames } = JSON.parse(line);
    if (reason !== "compiler-artifact" || made.name !== name) continue;
    const file = filenames.find(isWanted);
    if (file !== undefined) return file;
  }
  throw new Error(`cargo built nothing for ${name}`);
}

/** As in npm/src/native.ts and as napi-rs names it. */
function triple() {
  const { platform, arch } = process;
  if (platform === "win32") return `win32-${arch}-msvc`;
  if (platform !== "linux") return `${platform}-${arch}`;
  const { header } = process.report.getReport();
  return `linux-${arch}-${header.glibcVersionRuntime === undefined ? "musl" : "gnu"}`;
}
