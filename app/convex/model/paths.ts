// The one rule for paths of project files. Pure. A path is the names joined by "/", without a
// leading slash; nothing here may let a path leave its project.
import { coded } from "./errors";

/** In UTF-16 units; longer than any path that an editor, git or a bundler would accept. */
const MAX_PATH_LENGTH = 1024;

/**
 * The names of a path, root first; the root itself is the empty list. Leading slashes, `./`, and
 * doubled slashes are dropped; `..`, backslashes and control characters are refused.
 */
export function splitPath(path: string): string[] {
  if (path.length > MAX_PATH_LENGTH) {
    throw coded("INVALID_PATH", `Invalid file path: longer than ${MAX_PATH_LENGTH} characters`);
  }
  if (path.includes("\\")) {
    throw coded("INVALID_PATH", "Invalid file path: it holds a backslash");
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f-\u009f]/.test(path)) {
    throw coded("INVALID_PATH", "Invalid file path: it holds a control character");
  }
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) {
    throw coded("INVALID_PATH", "Invalid file path: `..` is not allowed");
  }
  return names;
}

/** Like `splitPath`, where a file is needed and the root will not do. */
export function splitFilePath(path: string): { folders: string[]; name: string } {
  const names = splitPath(path);
  const name = names.pop();
  if (name === undefined) throw coded("INVALID_PATH", "Invalid file path: it names no file");
  return { folders: names, name };
}
