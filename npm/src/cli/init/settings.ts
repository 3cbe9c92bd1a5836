// What `init` changes in package.json and the env files.

import { INNGEST_PACKAGE } from "./inngest.ts";
import type { Plan } from "./plan.ts";
import type { ProjectFolder } from "./project.ts";
import { withoutCommands } from "./prose.ts";

const JOBS_SCRIPT = "dev:jobs";
const JOBS_COMMAND = "trigger.dev dev";

interface Manifest {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  scripts?: Record<string, string>;
}

function editManifest(plan: Plan, change: (manifest: Manifest) => void): void {
  const text = plan.get("package.json") ?? "{}";
  const manifest = JSON.parse(text) as Manifest;
  change(manifest);
  if (JSON.stringify(JSON.parse(text)) === JSON.stringify(manifest)) return;
  const indent = /^[ \t]+/m.exec(text)?.[0] ?? "  ";
  plan.set("package.json", `${JSON.stringify(manifest, null, indent)}\n`);
}

/** Dependencies, a script, and the variables that the worker and the app need. */
export function addSettings(
  project: ProjectFolder,
  plan: Plan,
  versions: Readonly<Record<string, string>>,
): void {
  editManifest(plan, (manifest) => {
    manifest.dependencies ??= {};
    for (const name of ["polaris-agent", "@trigger.dev/sdk"]) {
      manifest.dependencies[name] ??= versions[name] ?? "latest";
    }
    // Ours goes with the files that this version writes.
    if (/^\d/.test(manifest.dependencies["polaris-agent"] ?? "")) {
      manifest.dependencies["polaris-agent"] = versions["polaris-agent"] ?? "latest";
    }
    for (const [name, version] of plan.dependencies) manifest.dependencies[name] ??= version;
    manifest.devDependencies ??= {};
    manifest.devDependencies["trigger.dev"] ??= versions["trigger.dev"] ?? "latest";
    manifest.scripts ??= {};
    manifest.scripts[JOBS_SCRIPT] ??= JOBS_COMMAND;
  });
  const files = envFiles(project);
  const example = files.find((name) => /example|sample/.test(name)) ?? ".env.example";
  for (const file of new Set([...files, example])) {
    const text = plan.get(file) ?? "";
    const missing = ["TRIGGER_SECRET_KEY", "TRIGGER_PROJECT_REF"].filter(
      (name) => !new RegExp(`^#? ?(export )?${name}=`, "m").test(text),
    );
    if (missing.length === 0) continue;
    const gap = text === "" || text.endsWith("\n") ? "" : "\n";
    plan.set(file, `${text}${gap}${missing.map((name) => `${name}=\n`).join("")}`);
  }
}

/** Dependencies, scripts and variables of Inngest; packages that something needs stay. */
export function removeSettings(project: ProjectFolder, plan: Plan): void {
  const { kept } = plan;
  if (kept === undefined) return;
  editManifest(plan, (manifest) => {
    for (const key of ["dependencies", "devDependencies"] as const) {
      for (const name of Object.keys(manifest[key] ?? {})) {
        const isTheirs = INNGEST_PACKAGE.test(name) || name === "inngest-cli";
        if (isTheirs && !kept.has(name)) delete manifest[key]?.[name];
      }
    }
    const { scripts = {} } = manifest;
    const gone: string[] = [];
    for (const [name, line] of Object.entries(scripts)) {
      const edited = withoutCommands(line, JOBS_COMMAND);
      if (edited === line) continue;
      // Nothing but that command: it is our script, under another name.
      if (edited.trim() === JOBS_COMMAND && name !== JOBS_SCRIPT) {
        delete scripts[name];
        gone.push(name);
      } else scripts[name] = edited;
    }
    for (const [name, line] of Object.entries(scripts)) {
      scripts[name] = gone.reduce(
        (text, old) =>
          text.replace(
            new RegExp(`(?<![\\w:-])((?:npm:|run )?)${escaped(old)}(?![\\w:-])`, "g"),
            `$1${JOBS_SCRIPT}`,
          ),
        line,
      );
    }
  });
  for (const file of envFiles(project)) {
    const text = plan.get(file) ?? "";
    plan.set(
      file,
      text
        .replace(/^#? ?(export )?INNGEST_[A-Z_]+=.*\r?\n?/gm, "")
        // A comment that headed them heads nothing any more.
        .replace(/^#.*inngest.*\r?\n?/gim, ""),
    );
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function envFiles({ read }: ProjectFolder): string[] {
  return [
    ".env",
    ".env.local",
    ".env.development",
    ".env.development.local",
    ".env.production",
    ".env.example",
    ".env.local.example",
    ".env.sample",
  ].filter((name) => read(name) !== undefined);
}
