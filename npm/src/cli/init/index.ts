// `polaris-agent init`: moves an existing Next.js + Convex project over. It shows what it would change,
// changes nothing without a yes, and only in a clean working tree; `--undo` takes it back, and a second
// run finds nothing to do.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { packageVersion } from "../../version.ts";
import { apply, refuseHalfDone, undo } from "./apply.ts";
import { tasksFolder } from "./config.ts";
import { findInngest } from "./inngest.ts";
import { type Change, Plan } from "./plan.ts";
import { InitError, openProject, type ProjectFolder } from "./project.ts";
import { editProse } from "./prose.ts";
import { planRemoval, removeInngest } from "./remove.ts";
import { editRoutes } from "./routes.ts";
import { editSchema } from "./schema.ts";
import { addSettings, removeSettings } from "./settings.ts";
import { Sources } from "./sources.ts";
import { addFiles } from "./tasks.ts";

/** Of the runner's packages: what this package was tested with. */
const RUNNER = "4.8.3";

const HELP = `polaris-agent init [FOLDER]: moves a Next.js + Convex project over from Inngest

  --yes, -y   applies the changes without a question
  --undo      puts back what the last init changed

It shows the diff first and changes nothing without a yes.
`;

export async function init(args: string[]): Promise<number> {
  try {
    const { values, positionals } = readArgs(args);
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    const root = resolve(positionals[0] ?? ".");
    if (values.undo) {
      process.stdout.write(undo(root));
      return 0;
    }
    return await run(root, values.yes);
  } catch (error) {
    if (!(error instanceof InitError)) throw error;
    process.stderr.write(`polaris-agent init: ${error.message}\n`);
    return 1;
  }
}

function readArgs(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        yes: { type: "boolean", short: "y", default: false },
        undo: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new InitError(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
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
  process.stdout.write(`Done. Next:
  npm install
  npx convex dev --once                    deploys the functions
  npx convex run polaris/settle:messages   ends messages that waited for a run that no longer comes
  npx polaris-agent dev                    tries it on this machine; or: npx trigger.dev dev
To take it back: npx polaris-agent init --undo
`);
  return 0;
}

/** What would be changed; reads the project and writes nothing. */
export function planFor(root: string): Plan {
  const project = openProject(root);
  const sources = new Sources(project);
  const plan = new Plan(project.read);
  const found = findInngest(project);
  const removal = planRemoval(sources, plan, found);
  addFiles(sources, plan, found, packageVersion, removal.moved);
  editSchema(project, plan);
  editRoutes(project, plan, found);
  addSettings(project, plan, {
    "polaris-agent": packageVersion,
    "@trigger.dev/sdk": RUNNER,
    "trigger.dev": RUNNER,
  });
  if (removal.complete) {
    const portedTools = `${tasksFolder(project, plan)}/ported-tools.ts`;
    removeInngest(sources, plan, found, removal, portedTools);
    removeSettings(project, plan);
    editProse(project, plan);
    listMentions(root, project, plan);
  }
  return plan;
}

const LOCK_FILE = /^(package-lock\.json|pnpm-lock\.yaml|yarn\.lock|bun\.lockb?)$/;
const MAX_TEXT_CHARS = 1_000_000;

/** What would still name Inngest, by place: nothing is left unsaid. */
function listMentions(root: string, { read }: ProjectFolder, plan: Plan): void {
  const tracked = git(root, "ls-files", "--cached", "--others", "--exclude-standard").stdout;
  const files = new Set([
    ...tracked.split("\n").filter((name) => name !== ""),
    ...plan.changes().map(({ path }) => path),
  ]);
  for (const file of [...files].sort()) {
    if (LOCK_FILE.test(basename(file)) || /(^|\/)node_modules(\/|$)/.test(file)) continue;
    const text = plan.get(file) ?? "";
    if (text.length > MAX_TEXT_CHARS || text.includes("\0") || read(file) === undefined) continue;
    text.split("\n").forEach((line, index) => {
      if (/inngest/i.test(line)) {
        plan.left.push(`${file}:${index + 1}: mentions Inngest: ${line.trim().slice(0, 80)}`);
      }
    });
  }
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
  return spawnSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
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

/** As git shows it; values of env files are nobody's to read in a log. */
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
        writeFileSync(file, basename(change.path).startsWith(".env") ? withoutValues(text) : text);
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

function withoutValues(text: string): string {
  return text.replace(/^([^#\n=]*=).+$/gm, "$1…");
}

async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question("Apply these changes? [y/N] ");
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}
