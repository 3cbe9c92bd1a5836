// How commands find a running `npm start`: a file in its state folder with its URLs and keys, there
// only while it runs, readable only by its owner.

import { rmSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface RunningStack {
  pid: number;
  /** The variables that workers and commands of this stack get. */
  env: Record<string, string>;
  seeded?: { projectId: string; conversationId: string };
}

const FILE = "stack.json";

export async function writeStackFile(state: string, stack: RunningStack): Promise<void> {
  const draft = join(state, `${FILE}.${process.pid}`);
  await writeFile(draft, `${JSON.stringify(stack)}\n`, { mode: 0o600 });
  await rename(draft, join(state, FILE));
}

export function removeStackFile(state: string): void {
  rmSync(join(state, FILE), { force: true });
}

/** The stack that runs on this state folder; undefined when none does (any more). */
export async function findRunningStack(state: string): Promise<RunningStack | undefined> {
  let stack: RunningStack;
  try {
    stack = JSON.parse(await readFile(join(state, FILE), "utf8")) as RunningStack;
    process.kill(stack.pid, 0);
  } catch {
    return undefined;
  }
  // The process id may have been given to somebody else: the services must answer, too.
  const url = stack.env?.CONVEX_URL;
  if (url === undefined) return undefined;
  const answers = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    () => true,
    () => false,
  );
  return answers ? stack : undefined;
}
