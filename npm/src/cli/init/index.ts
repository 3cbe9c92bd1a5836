// `polaris-agent init`: moves an existing Next.js + Convex project over. It shows what it would change,
// changes nothing without a yes, and only in a clean working tree, so that git undoes it; a second run
// finds nothing to do.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { packageRoot } from "../../native.ts";
import { addSettings, editRoutes, removeInngest } from "./app.ts";
import { findInngest } from "./inngest.ts";
import { type Change, Plan } from "./plan.ts";
import { InitError, openProject } from "./project.ts";
import { editSchema } from "./schema.ts";
import { addFiles } from "./tasks.ts";

const MARK = ".polaris/init.json";
/** Of the runner's packages: what this package was tested with. */
const RUNNER = "4.8.3";

export async function init(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { yes: { type: "boolean", short: "y", default: false } },
  });
  const root = resolve(positionals[0] ?? ".");
  try {
    return await run(root, values.yes);
  } catch (error) {
    if (!(error instanceof InitError)) throw error;
    process.stderr.write(`polaris-agent init: ${error.message}\n`);
    return 1;
  }
}

async function run(root: string, yes: boolean): Promise<number> {
  refuseHalfDone(root);
  const plan = planFor(root);
  const changes = plan.changes();
  if (changes.length === 0) {
    process.stdout.write("Nothing to change: this project has what init adds.\n");
    process.stdout.write(report(plan));
    return 0;
  }
  refuseDirty(root);
  process.stdout.write(diffOf(changes));
  process.stdout.write(report(plan));
  process.stdout.write(`${changes.length} files would change.\n`);
  if (!yes && !(await agreed())) {
    process.stdout.write("Nothing was changed. --yes applies it without a question.\n");
    return process.stdin.isTTY ? 0 : 1;
  }
  apply(root, changes);
  process.stdout.write(
    "Done. Next: npm install, npx convex dev (deploys the functions), npx polaris-agent dev or npx trigger.dev dev.\n",
  );
  return 0;
}

/** What would be changed; reads the project and writes nothing. */
export function planFor(root: string): Plan {
  const project = openProject(root);
  const plan = new Plan(project.read);
  const found = findInngest(project);
  addFiles(project, plan, found);
  editSchema(project, plan);
  editRoutes(project, plan, found);
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as {
    version: string;
  };
  addSettings(project, plan, {
    "polaris-agent": version,
    "@trigger.dev/sdk": RUNNER,
    "trigger.dev": RUNNER,
  });
  removeInngest(project, plan, found);
  return plan;
}

function report({ notes, left, remaining }: Plan): string {
  const lines: string[] = [...notes];
  if (remaining.length > 0) {
    lines.push("", "Functions that stay with Inngest, and how each is moved:");
    for (const { id, file, recipe } of remaining) lines.push(`  ${id} (${file}): ${recipe}`);
  }
  if (left.length > 0) {
    lines.push("", "Left as it is, for you to look at:", ...left.map((line) => `  ${line}`));
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n\n`;
}

function git(root: string, ...args: string[]) {
  return spawnSync("git", args, { cwd: root, encoding: "utf8" });
}

function refuseDirty(root: string): void {
  const { status, stdout } = git(root, "status", "--porcelain", "--untracked-files=all", ".");
  if (status !== 0) {
    throw new InitError(
      "this is no git repository: git init and commit first, so that a change can be undone",
    );
  }
  const lines = stdout.trim();
  if (lines !== "") {
    throw new InitError(`the working tree is not clean: commit or stash this first\n${lines}`);
  }
}

function refuseHalfDone(root: string): void {
  let paths: string[];
  try {
    paths = (JSON.parse(readFileSync(join(root, MARK), "utf8")) as { paths: string[] }).paths;
  } catch {
    return;
  }
  throw new InitError(
    `an earlier init did not finish. Put its files back and run it again:\n  git checkout -- . && git clean -fd ${paths.map((path) => `"${path}"`).join(" ")}\n  rm ${MARK}`,
  );
}

/** Marked before and unmarked after: what was interrupted is found by the next run. */
function apply(root: string, changes: readonly Change[]): void {
  const mark = join(root, MARK);
  mkdirSync(dirname(mark), { recursive: true });
  writeFileSync(join(dirname(mark), ".gitignore"), "*\n");
  writeFileSync(mark, JSON.stringify({ paths: changes.map(({ path }) => path) }));
  for (const { path, after } of changes) {
    const full = join(root, path);
    if (after === undefined) {
      rmSync(full, { force: true });
      continue;
    }
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(`${full}.polaris`, after);
    renameSync(`${full}.polaris`, full);
  }
  rmSync(mark);
}

/** As git shows it. */
function diffOf(changes: readonly Change[]): string {
  const folder = mkdtempSync(join(tmpdir(), "polaris-init-"));
  try {
    for (const side of ["before", "after"] as const) {
      mkdirSync(join(folder, side), { recursive: true });
      for (const change of changes) {
        const text = change[side];
        if (text === undefined) continue;
        const file = join(folder, side, change.path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
      }
    }
    const { stdout } = git(folder, "diff", "--no-index", "--no-color", "before", "after");
    return stdout.replace(
      /^(diff --git a\/)before\/|(b\/)after\/|(--- a\/)before\/|(\+\+\+ b\/)after\//gm,
      "$1$2$3$4",
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question("Apply these changes? [y/N] ");
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}
