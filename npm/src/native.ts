// Finds and loads the addon, once per thread, when the first run starts: importing this package has
// no side effect, so a bundler that indexes the tasks needs no addon. It never loads an addon of
// another version, and when there is none it says where it looked and what to do.

import { existsSync, readFileSync } from "node:fs";
import { createRequire, Module } from "node:module";
import { dirname, isAbsolute, join, resolve, toNamespacedPath } from "node:path";
import { fileURLToPath } from "node:url";
import { polarisError } from "./errors.ts";
import { packageVersion } from "./version.ts";

/** The contract with `crates/node`. Strings of JSON cross it. */
export interface NativeAddon {
  version(): string;
  diagnostics(): Diagnostics;
  /** Takes a generation's id, a `PlanName` and a `GenerationState`; answers a `NextAction`. */
  generationNext(generationId: string, plan: string, state: string): string;
  /**
   * Takes a `RunSpec`, `process.env`, of which it reads what the core looks at, and the language server's
   * file, where the variables name none; throws what cannot be read.
   */
  startRun(
    mailbox: Mailbox,
    spec: string,
    environment: Readonly<Record<string, string | undefined>>,
    typescript: string | undefined,
  ): NativeRun;
  /** What settles the promises of this thread; `promises.ts` is the other half. */
  openMailbox(settle: (letters: readonly unknown[]) => void): Mailbox;
}

/** Opaque. */
export type Mailbox = { readonly mailbox: never };

/**
 * What takes the number of a promise settles it with text or null, see `promises.ts`, where it does not
 * answer at once.
 */
export interface NativeRun {
  /** An array of `Event`, or null at the end. It answers at once when the run is over and nobody else waits. */
  nextBatch(promise: number, alone: boolean): string | null | undefined;
  /** An array of `OwnToolMessage`, or null at the end. */
  nextOwnCalls(promise: number): void;
  /** Answers such a call: the text, and the bytes that it has in full. Whether it was waited for. */
  answerOwnCall(
    id: number,
    kind: "text" | "failed" | "fatal" | "unavailable",
    text: string,
    bytes: number,
  ): boolean;
  /** Takes a `CancelReason`. */
  cancel(reason: string): void;
  /** A `RunResult`. It answers at once when the run is over. */
  result(promise: number): string | undefined;
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
  /** The version of this package. */
  version: string;
  /** Takes a file or the name of a package. */
  load(id: string): unknown;
}

const BINARY = "polaris";
const PACKAGE = "polaris-agent";
/** As package.json's `engines`. */
const LEAST_NODE = [20, 19] as const;
/** The platforms that an addon is published for: the folders beside this one. */
export const TRIPLES: readonly string[] = [
  "linux-x64-gnu",
  "linux-x64-musl",
  "linux-arm64-gnu",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "win32-x64-msvc",
];
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
    version: packageVersion,
    load: loadAddon,
  });
  return loaded;
}

/** As `native`, for any place and platform. */
export function loadNative({ env, platform, root, version, load }: LoadOptions): NativeAddon {
  if (!isNodeSupported(platform.node)) throw missing(oldNode(platform, version));
  const attempts: Attempt[] = [];
  for (const { what, id } of candidates(env, platform, root)) {
    if (isAbsolute(id) && !existsSync(id)) {
      attempts.push({ what, kind: "absent", text: "not found" });
      continue;
    }
    try {
      const addon = load(id) as NativeAddon;
      const found = addon.version();
      if (found === version) return addon;
      attempts.push({ what, kind: "version", text: `is version ${found}, needed is ${version}` });
    } catch (error) {
      attempts.push({ what, ...reasonOf(error) });
    }
  }
  throw missing(explain(platform, version, attempts));
}

/**
 * As `require`, but it does not look around a file whose place is known: that takes 0.3 ms of a process's
 * time to its first token. Another copy of this package in this thread finds it loaded, where the cache
 * is Node's own; Jest's is not, and there the addon, which bears that, is registered once more.
 */
export function loadAddon(id: string): unknown {
  const file = isAbsolute(id) ? id : require.resolve(id);
  const known = require.cache[file];
  if (known !== undefined) return known.exports;
  const module = Object.assign(new Module(file), { filename: file, paths: [] });
  process.dlopen(module, toNamespacedPath(file));
  module.loaded = true;
  require.cache[file] = module;
  return module.exports;
}

/** What is wrong with this Node; undefined: nothing. */
export function unsupportedNode(): string | undefined {
  const platform = thisPlatform();
  return isNodeSupported(platform.node) ? undefined : oldNode(platform, packageVersion);
}

function missing(message: string): Error {
  return polarisError("ADDON_MISSING", message);
}

/** What came of one candidate. */
interface Attempt {
  what: string;
  kind: "absent" | "version" | "damaged" | "system";
  text: string;
}

function candidates(env: LoadOptions["env"], platform: Platform, root: string) {
  const path = env[PATH_VARIABLE]?.trim();
  if (path) return [{ what: `${path} (${PATH_VARIABLE})`, id: resolve(path) }];
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

function reasonOf(error: unknown): Pick<Attempt, "kind" | "text"> {
  const { code, message } = error as { code?: string; message?: string };
  const notFound = code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND";
  if (notFound) return { kind: "absent", text: "not found" };
  const line = message?.split("\n")[0] ?? String(error);
  // The dynamic linker's words for a library of this machine that is too old for the addon.
  if (/version [`'"]?\w+_[\d.]+['"]? not found/.test(line)) return { kind: "system", text: line };
  return { kind: "damaged", text: `is damaged or made for another machine: ${line}` };
}

function explain(platform: Platform, version: string, attempts: readonly Attempt[]): string {
  const triple = tripleOf(platform);
  const supported = TRIPLES.includes(triple);
  const found = attempts.find(({ kind }) => kind !== "absent");
  const [command, why] = !supported
    ? ["", ""]
    : found === undefined
      ? [`install ${PACKAGE}@${version} --include=optional`, "optional dependencies must be on"]
      : [`install --force ${PACKAGE}@${version} ${PACKAGE}-${triple}@${version}`, "a fresh copy"];
  const advice = [
    ...(supported ? [[`npm ${command}`, `the published addon; ${why}`] as const] : []),
    ["npm run build", "in a checkout, with Rust from https://rustup.rs"] as const,
    ...(supported
      ? []
      : [["docker run -it -v .:/app -w /app node:22 bash", "a supported machine"] as const]),
  ];
  const width = Math.max(...advice.map(([text]) => text.length));
  return [
    `the native addon of ${PACKAGE} ${version} cannot be loaded on ${machineOf(platform)}. Looked for:`,
    ...attempts.map(({ what, text }) => `  - ${what}: ${text}`),
    ...(supported
      ? []
      : [`There is no published addon for ${triple}; there are: ${TRIPLES.join(", ")}.`]),
    "Either of these helps:",
    ...advice.map(([text, purpose]) => `  ${text.padEnd(width)}   (${purpose})`),
  ].join("\n");
}

function oldNode(platform: Platform, version: string): string {
  return [
    `${PACKAGE} ${version} needs Node ${LEAST_NODE.join(".")} or newer; this is ${machineOf(platform)}.`,
    "Either of these helps:",
    "  nvm install 22                       (or the same with your version manager)",
    "  npx --package=node@22 node --version   (Node 22 for one command)",
  ].join("\n");
}

function machineOf({ platform, arch, libc, node }: Platform): string {
  return `${[platform, arch, libc].filter(Boolean).join(" ")}, node ${node}`;
}

function isNodeSupported(version: string): boolean {
  // No regular expression: this runs once, and to compile one takes longer than all else here.
  const major = Number.parseInt(version.slice(1), 10);
  const minor = Number.parseInt(version.slice(version.indexOf(".") + 1), 10);
  const [leastMajor, leastMinor] = LEAST_NODE;
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}
