// Puts a plan's changes into the project, and takes them back. Before the first file is touched, all
// texts that will change are kept in `.polaris/init`, so that `init --undo` can restore them whatever
// happens: also files that git does not know, such as `.env.local`.

import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Change } from "./plan.ts";
import { InitError } from "./project.ts";

const STATE = ".polaris/init/changes.json";

interface State {
  /** `applying`: it was interrupted. */
  state: "applying" | "done";
  changes: { path: string; before: string | null; after: string | null }[];
}

function readState(root: string): State | undefined {
  try {
    return JSON.parse(readFileSync(join(root, STATE), "utf8")) as State;
  } catch {
    return undefined;
  }
}

function writeState(root: string, state: State): void {
  const file = join(root, STATE);
  mkdirSync(dirname(file), { recursive: true });
  // It holds values of env files: nobody else's business, and nothing for git.
  writeFileSync(join(dirname(dirname(file)), ".gitignore"), "*\n");
  writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** An init that was interrupted has left a mixture, on which nothing can be built. */
export function refuseHalfDone(root: string): void {
  const state = readState(root);
  if (state?.state !== "applying") return;
  const done = state.changes.filter(({ path, after }) => textOf(root, path) === after).length;
  throw new InitError(
    `an earlier init did not finish: ${done} of ${state.changes.length} files are changed. Put them back, then run it again:\n  npx polaris-agent init --undo`,
  );
}

export function apply(root: string, changes: readonly Change[]): void {
  const state: State = {
    state: "applying",
    changes: changes.map(({ path, before, after }) => ({
      path,
      before: before ?? null,
      after: after ?? null,
    })),
  };
  writeState(root, state);
  for (const { path, after } of state.changes) put(root, path, after);
  writeState(root, { ...state, state: "done" });
}

/** Puts back what the last init changed, if nobody has changed it since. */
export function undo(root: string): string {
  const state = readState(root);
  if (state === undefined) throw new InitError("there is nothing to undo here");
  const touched = state.changes.filter(({ path, before, after }) => {
    const now = textOf(root, path);
    return now !== before && now !== after;
  });
  if (touched.length > 0) {
    throw new InitError(
      `these files were changed since, so nothing was put back. Save what you need of them, then restore them to the state that init left, or use git:\n${touched.map(({ path }) => `  ${path}`).join("\n")}`,
    );
  }
  for (const { path, before } of state.changes.toReversed()) put(root, path, before);
  rmSync(join(root, dirname(STATE)), { recursive: true });
  return `${state.changes.length} files are as they were before init.\n`;
}

function textOf(root: string, path: string): string | null {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return null;
  }
}

/** Written beside its place and renamed: no moment has half a file. */
function put(root: string, path: string, text: string | null): void {
  const full = join(root, path);
  if (text === null) {
    rmSync(full, { force: true });
    removeEmpty(root, dirname(full));
    return;
  }
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(`${full}.polaris`, text);
  renameSync(`${full}.polaris`, full);
}

function removeEmpty(root: string, folder: string): void {
  for (let at = folder; at !== root && at.startsWith(root) && existsSync(at); at = dirname(at)) {
    try {
      rmdirSync(at);
    } catch {
      return;
    }
  }
}
