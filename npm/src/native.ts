// Finds and loads the addon, once per thread, when the first run starts: importing this package has
// no side effect, so a bundler that indexes the tasks needs no addon. It never loads an addon of
// another version, and when there is none it says where it looked and what to do.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { polarisError } from "./errors.ts";

/** The contract with `crates/node`. Strings of JSON cross it. */
export interface NativeAddon {
  version(): string;
  diagnostics(): Diagnostics;
  /** Takes a generation's id, a `PlanName` and a `GenerationState`; answers a `NextAction`. */
  generationNext(generationId: string, plan: string, state: string): string;
  /** Takes a `RunSpec` and the variables of this thread; throws what cannot be read. */
  startRun(spec: string, variables: string): NativeRun;
}

export interface NativeRun {
  /** An array of `Event`, or null at the end. */
  nextBatch(): Promise<string | null>;
  /** Takes a `CancelReason`. */
  cancel(reason: string): void;
  /** A `RunResult`. */
  result(): Promise<string>;
}

/** What is alive in this process, over all its threads. */
export interface Diagnostics {
  /** Handles that JavaScript still holds or has not collected yet. */
  handles: number;
  /** Runs that have not ended. */
  runs: number;
}

export interface Platform {
  platform: string;
  arch: string;
  /** On Linux. */
  libc?: "gnu" | "musl";
  node: string;
}

export interface LoadOptions {
  env: Readonly<Record<string, string | undefined>>;
  platform: Platform;
  /** The folder of this package. */
  root: string;
  require(id: string): unknown;
}

const BINARY = "polaris";
const PACKAGE = "polaris-agent";
/** Loads exactly this file instead of looking for one. */
const PATH_VARIABLE = "POLARIS_NATIVE_LIBRARY_PATH";

const require = createRequire(import.meta.url);

/** The package's folder: this file stands two below it, as source and when built. */
export const packageRoot: string = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

let loaded: NativeAddon | undefined;

/** The addon of this platform. */
export function native(): NativeAddon {
  loaded ??= loadNative({
    env: process.env,
    platform: thisPlatform(),
    root: packageRoot,
    require,
  });
  return loaded;
}

/** As `native`, for any place and platform. */
export function loadNative({ env, platform, root, require }: LoadOptions): NativeAddon {
  const version = packageVersion(root);
  const attempts: string[] = [];
  for (const { what, id } of candidates(env, platform, root)) {
    try {
      const addon = require(id) as NativeAddon;
      const found = addon.version();
      if (found === version) return addon;
      attempts.push(`${what}: is version ${found}, needed is ${version}`);
    } catch (error) {
      attempts.push(`${what}: ${reasonOf(error, id)}`);
    }
  }
  throw polarisError("ADDON_MISSING", explain(platform, version, attempts));
}

function candidates(env: LoadOptions["env"], platform: Platform, root: string) {
  const path = env[PATH_VARIABLE]?.trim();
  if (path) return [{ what: `${path} (${PATH_VARIABLE})`, id: path }];
  const triple = tripleOf(platform);
  const local = join(root, "npm", `${BINARY}.${triple}.node`);
  return [
    { what: local, id: local },
    { what: `package ${PACKAGE}-${triple}`, id: `${PACKAGE}-${triple}` },
  ];
}

/** The name that napi-rs gives this platform. */
export function tripleOf({ platform, arch, libc }: Platform): string {
  if (platform === "linux") return `linux-${arch}-${libc ?? "gnu"}`;
  if (platform === "win32") return `win32-${arch}-msvc`;
  return `${platform}-${arch}`;
}

export function thisPlatform(): Platform {
  const { platform, arch, version: node } = process;
  return platform === "linux"
    ? { platform, arch, node, libc: isMusl() ? "musl" : "gnu" }
    : { platform, arch, node };
}

/** Which loader this Node was linked against. Its own script says so at once; a report takes 10 ms. */
function isMusl(): boolean {
  try {
    return readFileSync("/usr/bin/ldd", "utf8").includes("musl");
  } catch {
    return isMuslByReport();
  }
}

function isMuslByReport(): boolean {
  const { report } = process;
  if (report === undefined) return false;
  // Without this, a report looks up the names of all open connections.
  (report as { excludeNetwork?: boolean }).excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header !== undefined && header.glibcVersionRuntime === undefined;
}

function packageVersion(root: string): string {
  const text = readFileSync(join(root, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

function reasonOf(error: unknown, id: string): string {
  const { code, message } = error as { code?: string; message?: string };
  const notFound = code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND";
  if (notFound && !existsSync(id)) return "not found";
  return message?.split("\n")[0] ?? String(error);
}

function explain(platform: Platform, version: string, attempts: readonly string[]): string {
  const { arch, libc, node } = platform;
  const machine = [platform.platform, arch, libc].filter(Boolean).join(" ");
  return [
    `the native addon of ${PACKAGE} ${version} cannot be loaded on ${machine}, node ${node}. Looked for:`,
    ...attempts.map((attempt) => `  - ${attempt}`),
    "Either of these brings it:",
    `  npm install ${PACKAGE}@${version} --include=optional   (the published addon; optional dependencies must be on)`,
    "  npm run build                                    (in a checkout, with Rust from https://rustup.rs)",
  ].join("\n");
}
