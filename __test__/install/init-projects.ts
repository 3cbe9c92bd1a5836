// What the test files about `init` share: the projects of init-fixtures.ts as git repositories with their
// packages, and init run on them.

import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Files } from "./init-fixtures.ts";
import {
  bareEnv,
  FRESH,
  installShared,
  ourRegistry,
  type Project,
  project,
  ROOT,
  tsc,
} from "./packed.ts";
import type { Registry } from "./registry.ts";

/** What the apps' own tools are written with. */
const OWN = ["ai@6.0.326", "zod@4.6.7"];

export class Migrations {
  readonly #registry: Registry;
  readonly #installed: Project;
  readonly #made: Project[] = [];

  static async open(): Promise<Migrations> {
    const registry = await ourRegistry({ all: true });
    const installed = project({ type: "module" });
    await installShared(installed, registry, [...FRESH, ...OWN]);
    // The compiler and the types that such a project has.
    for (const name of ["typescript", "@types/node"]) {
      const link = join(installed.path, "node_modules", name);
      mkdirSync(join(link, ".."), { recursive: true });
      if (!existsSync(link)) symlinkSync(join(ROOT, "node_modules", name), link);
    }
    return new Migrations(registry, installed);
  }

  private constructor(registry: Registry, installed: Project) {
    this.#registry = registry;
    this.#installed = installed;
  }

  async close(): Promise<void> {
    await this.#registry.close();
    for (const each of [...this.#made, this.#installed]) each.remove();
  }

  get program(): string {
    return join(this.#installed.path, "node_modules/polaris-agent/npm/dist/cli.mjs");
  }

  /** A fixture in a git repository, with its packages; committed. */
  checkout(files: Files): Project {
    const app = project();
    this.#made.push(app);
    for (const [path, text] of Object.entries(files)) app.write(path, text);
    symlinkSync(join(this.#installed.path, "node_modules"), join(app.path, "node_modules"));
    git(app, "init", "-q");
    commit(app);
    return app;
  }

  /** As `checkout`, with packages of its own and a lock file, as the official CLI wants them. */
  installed(files: Files): Project {
    const app = this.checkout(files);
    app.write("package-lock.json", read(this.#installed, "package-lock.json"));
    commit(app);
    return app;
  }

  init(app: Project, ...args: string[]): SpawnSyncReturns<string> {
    return spawnSync(process.execPath, [this.program, "init", ...args], {
      cwd: app.path,
      env: bareEnv(app.path),
      encoding: "utf8",
      input: "",
    });
  }
}

export function git({ path }: Project, ...args: string[]): SpawnSyncReturns<string> {
  const result = spawnSync("git", args, { cwd: path, encoding: "utf8" });
  assert.equal(result.status, 0, result.stderr);
  return result;
}

export function commit(app: Project): void {
  git(app, "add", "-A");
  git(app, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "state");
}

export const read = ({ path }: Project, file: string) => readFileSync(join(path, file), "utf8");
export const has = ({ path }: Project, file: string) => existsSync(join(path, file));
export const changed = (app: Project) => git(app, "status", "--porcelain", "-uall").stdout;

/** Everything that git sees and that names what the app has left. */
export function mentions(app: Project): string[] {
  const { stdout } = spawnSync(
    "git",
    [
      "grep",
      "-il",
      "--untracked",
      "--no-exclude-standard",
      "inngest",
      "--",
      ".",
      ":!node_modules",
      ":!.polaris",
    ],
    { cwd: app.path, encoding: "utf8" },
  );
  return stdout.split("\n").filter((name) => name !== "");
}

export function checksTypes(app: Project): void {
  const { status, stdout } = tsc(app.path, ["-p", "tsconfig.json", "--preserveSymlinks", "false"]);
  assert.equal(status, 0, stdout);
}
