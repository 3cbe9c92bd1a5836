// Words, commands and settings of Inngest in texts that people read: README, CLAUDE.md, comments, scripts.

import type { Plan } from "./plan.ts";
import type { ProjectFolder } from "./project.ts";
import { DOOR } from "./tasks.ts";

/** `npx --yes inngest-cli@latest dev -u http://…`, as it stands in scripts and texts. */
const DEV_COMMAND =
  /(?:(?:npx|bunx|pnpx|pnpm dlx|yarn dlx)\s+(?:(?:-y|--yes|--ignore-scripts=false)\s+)*)?\binngest(?:-cli)?(?:@[\w.-]+)?\s+dev(?:\s+(?:--?[\w-]+)(?:[= ](?!-)[^\s"'`&|;]+)?)*/g;

export function withoutCommands(text: string, replacement: string): string {
  return text.replace(DEV_COMMAND, replacement);
}

/** A text with what took its place; `door`: the file that took the client's. */
export function withoutName(text: string, door: string): string {
  return withoutCommands(text, "npx trigger.dev dev")
    .replace(/\b(t)rigger Inngest\b/gi, (_, t: string) =>
      t === "T" ? "Ask Trigger.dev" : "ask Trigger.dev",
    )
    .replace(/https?:\/\/(?:[\w-]+\.)*inngest\.com[^\s)\]"'`>]*/gi, "https://trigger.dev/docs")
    .replace(/[\w./@-]*\binngest\/client(?:\.[jt]sx?)?/gi, door)
    .replace(/[\w./@-]*\bapi\/inngest(?:\/route(?:\.[jt]sx?)?)?/gi, "trigger/tasks/")
    .replace(/@inngest\/[\w-]+/gi, "polaris-agent")
    .replace(/\bInngest functions\b/gi, "Trigger.dev tasks")
    .replace(/\bInngest function\b/gi, "Trigger.dev task")
    .replace(/\bInngest events?\b/gi, "Trigger.dev tasks")
    .replace(/\bInngest dev server\b/gi, "Trigger.dev CLI")
    .replace(/\binngest\//g, "jobs/")
    .replace(/\binngest\b(?!\.)/gi, "Trigger.dev");
}

const VARIABLE = /\bINNGEST_[A-Z_]+\b/;
const VARIABLES = /\bINNGEST_[A-Z_]+\b/g;

/** README and the like: only text that people read, line by line. */
export function editProse(project: ProjectFolder, plan: Plan): void {
  const door = `${project.source}${DOOR}`;
  for (const file of project.texts) {
    const text = plan.get(file);
    if (text === undefined || !/inngest/i.test(text)) continue;
    let isNamed = /\bTRIGGER_SECRET_KEY\b/.test(text);
    const lines = text.split("\n").flatMap((line) => {
      if (!VARIABLE.test(line)) return [withoutName(line, door)];
      // The first line about its keys becomes one about ours; further ones go.
      if (isNamed && line.replace(VARIABLES, "").replace(/[\s|`*#:=-]/g, "").length < 40) return [];
      isNamed = true;
      return [
        withoutName(
          line.replace(VARIABLE, "TRIGGER_SECRET_KEY").replace(VARIABLES, "TRIGGER_PROJECT_REF"),
          door,
        ),
      ];
    });
    plan.set(file, lines.join("\n"));
  }
}
