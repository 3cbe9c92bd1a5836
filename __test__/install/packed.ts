// What the test files of test:install share: the packed files, projects to install them into, and an
// environment as bare as a stranger's machine.

import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { type Published, type Registry, startRegistry } from "./registry.ts";

export const ROOT = resolve(import.meta.dirname, "../..");

interface PackedPackage {
  manifest: Published["manifest"];
  file: string;
  files: string[];
  bytes: number;
  staged: string;
}

interface Packed {
  triple: string;
  release: boolean;
  packages: PackedPackage[];
  others: Published["manifest"][];
}

export const packedFolder = required("POLARIS_PACKED");
export const packed = JSON.parse(readFileSync(join(packedFolder, "packed.json"), "utf8")) as Packed;

export function packageNamed(name: string): PackedPackage {
  const found = packed.packages.find(({ manifest }) => manifest.name === name);
  if (found === undefined) throw new Error(`${name} was not packed`);
  return found;
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`run this with: npm run test:install (no ${name})`);
  return value;
}

export const NODES: Readonly<Record<string, string>> = Object.fromEntries(
  ["20", "22", "24"].map((line) => {
    const folder = join(required("POLARIS_NODES"), "node_modules", `node${line}`, "bin");
    return [line, join(folder, process.platform === "win32" ? "node.exe" : "node")];
  }),
);

/** Our packages under their names; `all` others come from the registry that npm is configured with. */
export async function ourRegistry({ all = false } = {}): Promise<Registry> {
  const elsewhere = all ? configuredRegistry() : undefined;
  return await startRegistry(
    [...packed.packages, ...packed.others.map((manifest) => ({ manifest }))],
    elsewhere,
  );
}

function configuredRegistry(): string {
  const { stdout } = spawnSync("npm", ["config", "get", "registry"], { encoding: "utf8" });
  return stdout.trim();
}

/** What a fresh project with this package has. */
export const FRESH = ["polaris-agent", "polaris-agent-local", "@trigger.dev/sdk@4.8.3"];

export interface Project {
  path: string;
  write(file: string, text: string): string;
  remove(): void;
}

/** An empty project. */
export function project(manifest: Record<string, unknown> = {}): Project {
  const path = mkdtempSync(join(tmpdir(), "polaris-project-"));
  const write = (file: string, text: string): string => {
    const full = join(path, file);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
    return full;
  };
  write("package.json", `${JSON.stringify({ private: true, ...manifest }, null, 2)}\n`);
  return { path, write, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** No Rust, no product variable, no HOME with anything in it. */
export function bareEnv(home: string, node?: string): NodeJS.ProcessEnv {
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !/[\\/]\.?cargo[\\/]|rustup/.test(`${folder}/`));
  const env: Record<string, string | undefined> = {
    PATH: [...(node === undefined ? [] : [dirname(node)]), ...path].join(delimiter),
    HOME: home,
    LANG: "C.UTF-8",
    CARGO_HOME: join(home, "no-cargo"),
    RUSTUP_HOME: join(home, "no-rustup"),
  };
  for (const [name, value] of Object.entries(process.env)) {
    // How this machine reaches the network.
    if (/^(HTTPS?_PROXY|NO_PROXY|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE)$/i.test(name))
      env[name] = value;
    if (/^(TMPDIR|TEMP|SystemRoot)$/i.test(name)) env[name] = value;
  }
  return env as NodeJS.ProcessEnv;
}

/** `npm install` with scripts off, from our registry. */
export async function install(
  { path }: Project,
  registry: Registry,
  packages: readonly string[],
  env: NodeJS.ProcessEnv = bareEnv(path),
): Promise<void> {
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const cache = join(packedFolder, "npm-cache");
  const { code, output } = await command(
    "npm",
    [...args, `--registry=${registry.url}`, `--cache=${cache}`, ...packages],
    { cwd: path, env },
  );
  if (code !== 0) throw new Error(`npm install failed:\n${output}`);
}

/** As `install`, for a set of packages that several test files need: it is fetched once. */
export async function installShared(
  app: Project,
  registry: Registry,
  packages: readonly string[],
): Promise<void> {
  const key = createHash("sha256").update(packages.toSorted().join("\n")).digest("hex");
  const shared = join(packedFolder, `installed-${key.slice(0, 12)}`);
  if (!existsSync(shared)) {
    const first = project({ type: "module" });
    await install(first, registry, packages);
    renameOrCopy(first.path, shared);
  }
  const manifest = JSON.parse(readFileSync(join(app.path, "package.json"), "utf8"));
  const { dependencies } = JSON.parse(readFileSync(join(shared, "package.json"), "utf8"));
  app.write("package.json", `${JSON.stringify({ ...manifest, dependencies }, null, 2)}\n`);
  for (const name of ["package-lock.json", "node_modules"]) {
    cpSync(join(shared, name), join(app.path, name), { recursive: true, verbatimSymlinks: true });
  }
}

function renameOrCopy(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    cpSync(from, to, { recursive: true, verbatimSymlinks: true });
    rmSync(from, { recursive: true, force: true });
  }
}

/** Runs without blocking this thread: servers of the test answer meanwhile. */
export function command(
  program: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<{ code: number | null; stdout: string; output: string }> {
  return new Promise((settle, fail) => {
    const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.once("error", fail);
    child.once("close", (code) => settle({ code, stdout, output }));
  });
}

/** The TypeScript of this repository on a project's files. */
export function tsc(folder: string, args: readonly string[]): SpawnSyncReturns<string> {
  const program = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  return spawnSync(process.execPath, [program, ...args], { cwd: folder, encoding: "utf8" });
}
