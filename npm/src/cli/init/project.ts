// The project that `init` works on: its files, its own TypeScript, and where things stand in it.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import type * as ts from "typescript";

export type TypeScript = typeof ts;

/** What a person can act on. */
export class InitError extends Error {}

export interface ProjectFolder {
  root: string;
  ts: TypeScript;
  /** `src/` or nothing: where the application's code stands. */
  source: "src/" | "";
  /** The folder of the Convex functions, with a slash. */
  convex: string;
  /** All TypeScript and JavaScript of the project, relative paths. */
  sources: string[];
  /** Markdown that people read: README.md, CLAUDE.md, docs/. */
  texts: string[];
  read(path: string): string | undefined;
  /** The version of an installed package. */
  installed(name: string): string | undefined;
}

const SKIPPED = new Set(["node_modules", "_generated", "dist", "build", "out", "coverage"]);

export function openProject(root: string): ProjectFolder {
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(join(root, path), "utf8");
    } catch {
      return undefined;
    }
  };
  if (read("package.json") === undefined)
    throw new InitError(`there is no package.json in ${root}`);
  for (const file of ["package.json", "convex.json"]) refuseBadJson(file, read(file));
  const convex = `${convexFolder(read)}/`;
  if (!existsSync(join(root, convex))) {
    throw new InitError(
      `there are no Convex functions in ${join(root, convex)}: init is for projects with Next.js and Convex; in others, add polarisAgent() to trigger.config.ts by hand (docs/getting-started.md)`,
    );
  }
  const source = existsSync(join(root, "src")) ? "src/" : "";
  const installed = (name: string): string | undefined => {
    const text = read(join("node_modules", name, "package.json"));
    return text === undefined ? undefined : (JSON.parse(text) as { version?: string }).version;
  };
  const sources = walk(root, isSource);
  const texts = walk(root, isText);
  return { root, ts: loadTypeScript(root), source, convex, sources, texts, read, installed };
}

function convexFolder(read: (path: string) => string | undefined): string {
  const text = read("convex.json");
  if (text === undefined) return "convex";
  const { functions } = JSON.parse(text) as { functions?: string };
  return (functions ?? "convex").replace(/^\.\//, "").replace(/\/+$/, "");
}

function refuseBadJson(file: string, text: string | undefined): void {
  if (text === undefined) return;
  try {
    JSON.parse(text);
  } catch (error) {
    throw new InitError(`${file} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}

/** The project's own: it understands the project's syntax, and this package needs none. */
function loadTypeScript(root: string): TypeScript {
  let found: Partial<TypeScript>;
  try {
    found = createRequire(join(root, "package.json"))("typescript") as TypeScript;
  } catch {
    throw new InitError(
      "this project has no TypeScript installed, which init reads it with: npm install --save-dev typescript",
    );
  }
  if (typeof found.createSourceFile === "function") return found as TypeScript;
  // TypeScript 7 is a program, and brings no library that reads a file.
  throw new InitError(
    `init reads the project with TypeScript's own library, which ${found.version ?? "this version"} does not have. For init alone: npm install --no-save typescript@6`,
  );
}

function isSource(name: string): boolean {
  return /\.(ts|tsx|mts|js|jsx|mjs)$/.test(name) && !name.endsWith(".d.ts");
}

/** A changelog, and notes of a migration, tell what was. */
function isText(name: string): boolean {
  return /\.mdx?$/i.test(name) && !/^(changelog|history)|migrat/i.test(name);
}

function walk(root: string, wanted: (name: string) => boolean): string[] {
  const found: string[] = [];
  const open = [root];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name) && !entry.name.startsWith(".")) open.push(path);
      } else if (wanted(entry.name)) {
        found.push(relative(root, path).replaceAll("\\", "/"));
      }
    }
  }
  return found.sort();
}
