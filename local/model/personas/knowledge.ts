// What a persona knows of the project: read off the tool calls of the running answer and their
// results. Tool results are text; what a failure looks like is the tools' contract ("Error …",
// "File not found: …").

import type { ConversationView } from "../request.ts";

export interface ToolCall {
  name: string;
  args: Record<string, unknown>;
}

export interface Reply {
  say?: string;
  calls?: ToolCall[];
}

export interface Persona {
  name: string;
  applies(view: ConversationView): boolean;
  reply(view: ConversationView, project: Knowledge): Reply;
}

export interface Knowledge {
  /** All paths, sorted; undefined until looked at. */
  files: string[] | undefined;
  /** What was read, by path. */
  read: Map<string, string>;
  /** What could not be read, written or deleted, by path, with the tool's own words. */
  failed: Map<string, string>;
  written: Set<string>;
  deleted: Set<string>;
  /** Raw result of the last listFiles per path. */
  listed: Map<string, string>;
}

export function isFailure(result: string): boolean {
  return /^(Error\b|File not found:)/.test(result);
}

export function knowledgeOf(view: ConversationView): Knowledge {
  const known: Knowledge = {
    files: undefined,
    read: new Map(),
    failed: new Map(),
    written: new Set(),
    deleted: new Set(),
    listed: new Map(),
  };
  for (const call of view.turns.flatMap((turn) => turn.calls)) {
    const path = typeof call.args.path === "string" ? call.args.path : "";
    const result = call.result ?? "Error: the tool gave no result";
    const failed = isFailure(result);
    if (call.name === "getProjectStructure") {
      known.files = failed ? [] : linesOf(result).filter((line) => !line.endsWith("/"));
    } else if (call.name === "listFiles") {
      known.listed.set(path, result);
      if (known.files === undefined && !view.tools.has("getProjectStructure")) {
        known.files = failed ? [] : filesOfListing(path, result);
      }
    } else if (call.name === "readFile") {
      if (failed) known.failed.set(path, result);
      else known.read.set(path, result);
    } else if (call.name === "writeFile") {
      if (failed) known.failed.set(path, result);
      else known.written.add(path);
    } else if (call.name === "deleteFile") {
      if (failed) known.failed.set(path, result);
      else known.deleted.add(path);
    }
  }
  return known;
}

function linesOf(result: string): string[] {
  if (result === "Project has no files yet.") return [];
  return result.split("\n").filter((line) => line !== "" && !/^(\[|…|\.\.\.|\()/.test(line));
}

function filesOfListing(folder: string, result: string): string[] {
  const prefix = folder === "" ? "" : `${folder}/`;
  return result
    .split("\n")
    .filter((line) => line.startsWith("[file] "))
    .map((line) => prefix + line.slice("[file] ".length));
}

/** The first look at a project, or undefined when it has been taken or no tool can take it. */
export function survey(view: ConversationView, project: Knowledge): ToolCall | undefined {
  if (project.files !== undefined) return undefined;
  if (view.tools.has("getProjectStructure")) return { name: "getProjectStructure", args: {} };
  if (view.tools.has("listFiles")) return { name: "listFiles", args: {} };
  return undefined;
}

/** Reads of what is wanted, exists and has not been tried yet. */
export function readsFor(
  view: ConversationView,
  project: Knowledge,
  wanted: readonly (string | undefined)[],
): ToolCall[] {
  if (!view.tools.has("readFile")) return [];
  const paths = new Set(wanted.filter((path): path is string => path !== undefined));
  return [...paths]
    .filter((path) => !project.read.has(path) && !project.failed.has(path))
    .map((path) => ({ name: "readFile", args: { path } }));
}

/** The part of a path that a person calls the file's name. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash + 1);
}

/** A file as the user named it: whole path, file name, or name without extension. */
export function findFile(files: readonly string[], named: string): string | undefined {
  const wanted = named.replace(/^\.?\//, "").toLowerCase();
  return (
    files.find((path) => path.toLowerCase() === wanted) ??
    files.find((path) => path.toLowerCase().endsWith(`/${wanted}`)) ??
    files.find((path) => baseName(path).toLowerCase() === wanted) ??
    files.find(
      (path) =>
        baseName(path)
          .toLowerCase()
          .replace(/\.[^.]+$/, "") === wanted,
    )
  );
}

/** A path or file name in a sentence: something with an extension, or in quotes or backticks. */
export function pathsIn(text: string): string[] {
  const quoted = [...text.matchAll(/[`"']([^`"'\s]+)[`"']/g)].map((match) => match[1] ?? "");
  const plain = [
    ...text.matchAll(
      /(?:^|[\s(])((?:[\w@[\]-]+\/)*[\w@[\].-]*\.[A-Za-z][\w]{0,5})(?=$|[\s),:;?!.])/g,
    ),
  ].map((match) => match[1] ?? "");
  return [...new Set([...quoted.filter((name) => /[./]/.test(name)), ...plain])];
}

export const fence = (language: string, code: string): string =>
  `\`\`\`${language}\n${code.trimEnd()}\n\`\`\``;
