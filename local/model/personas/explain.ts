// Questions and everything else: looks at the project, reads what the question is about, and answers
// from what those files say.

import type { ConversationView } from "../request.ts";
import { findApp, findStylesheet } from "./code.ts";
import { code, describeFile, listed, packageFacts } from "./describe.ts";
import { findFile, type Knowledge, type Persona, pathsIn, readsFor, survey } from "./knowledge.ts";

const MAX_READ_FILES = 5;
const COMMON_WORDS = new Set(
  "about does file files from have into project should that their there these this what when where which with would your explain describe tell show work works code please could the and for how are use uses using why who can you it is in of to a an me my".split(
    " ",
  ),
);

/** Files that the user named, by path, file name or component name. */
function namedFiles(view: ConversationView, files: readonly string[]): string[] {
  const named = pathsIn(view.userText).map((name) => findFile(files, name));
  const words = keywords(view.userText).map((word) => findFile(files, word));
  return [...new Set([...named, ...words].filter((path) => path !== undefined))].slice(
    0,
    MAX_READ_FILES,
  );
}

function keywords(text: string): string[] {
  return (text.match(/[A-Za-z][\w-]{2,}/g) ?? []).filter(
    (word) => !COMMON_WORDS.has(word.toLowerCase()),
  );
}

export const explain: Persona = {
  name: "explain",
  applies: ({ userText }) =>
    /\?\s*$|^\s*(what|how|why|where|which|who|does|is|are|can|explain|describe|tell me|summari[sz]e|review)\b/i.test(
      userText,
    ),
  reply(view, project) {
    const look = survey(view, project);
    if (look !== undefined) return { say: "Let me look at the project.\n\n", calls: [look] };
    const files = project.files ?? [];
    if (files.length === 0) return { say: EMPTY };
    const missing = pathsIn(view.userText).filter((name) => findFile(files, name) === undefined);
    const named = namedFiles(view, files);
    if (named.length === 0 && missing.length > 0) {
      return {
        say: `There is no ${listed(missing.map(code))} in this project. It has ${listed(files.map(code))}.`,
      };
    }
    if (named.length === 0) return overview.reply(view, project);
    const reads = readsFor(view, project, named);
    if (reads.length > 0) return { calls: reads };
    const parts = named.map((path) => {
      const content = project.read.get(path);
      return content === undefined
        ? `\`${path}\` could not be read: ${project.failed.get(path) ?? "no tool reads files"}`
        : describeFile(path, content);
    });
    const lines = matchingLines(view, project, named);
    return { say: lines === "" ? parts.join("\n\n") : `${parts.join("\n\n")}\n\n${lines}` };
  },
};

export const overview: Persona = {
  name: "overview",
  applies: () => true,
  reply(view, project) {
    const look = survey(view, project);
    if (look !== undefined) return { say: "Let me look at the project.\n\n", calls: [look] };
    const files = project.files;
    if (files === undefined) {
      return {
        say: "I was given no tools to look at the project, so I can only talk about it in general. What would you like to know?",
      };
    }
    if (files.length === 0) return { say: EMPTY };
    const manifest = findFile(files, "package.json");
    const readme = findFile(files, "README.md");
    const wanted = [manifest, readme, findApp(files), findStylesheet(files)];
    const reads = readsFor(view, project, wanted);
    if (reads.length > 0) return { calls: reads };
    const facts = packageFacts(project.read.get(manifest ?? "") ?? "");
    const about = (project.read.get(readme ?? "") ?? "")
      .split("\n")
      .find((line) => line.trim() !== "" && !line.startsWith("#"));
    const lines = [
      facts?.name === undefined
        ? `This project has ${files.length} files.`
        : `This is **${facts.name}**, ${files.length} files${facts.dependencies.length > 0 ? `, built with ${listed(facts.dependencies.map(code), 5)}` : ""}.`,
    ];
    if (about !== undefined) lines.push(`Its README says: “${about.trim()}”`);
    for (const path of [...new Set(wanted)]) {
      const content = path === undefined ? undefined : project.read.get(path);
      if (path !== undefined && content !== undefined && path !== readme && path !== manifest) {
        lines.push(describeFile(path, content));
      }
    }
    if (facts !== undefined && facts.scripts.length > 0) {
      lines.push(
        `Run it with ${facts.scripts.map(([name]) => code(`npm run ${name}`)).join(", ")}.`,
      );
    }
    if (!explain.applies(view)) {
      lines.push(
        "I was not sure what you would like me to change. Name a file or say what to add, for example *“add a dark mode toggle”*.",
      );
    }
    return { say: lines.join("\n\n") };
  },
};

/** Lines of the read files in which the question's own words stand. */
function matchingLines(
  view: ConversationView,
  project: Knowledge,
  paths: readonly string[],
): string {
  const words = keywords(view.userText).filter(
    (word) => !paths.some((path) => path.toLowerCase().includes(word.toLowerCase())),
  );
  const found: string[] = [];
  for (const path of paths) {
    for (const [index, line] of (project.read.get(path) ?? "").split("\n").entries()) {
      if (
        found.length < 5 &&
        words.some((word) => line.toLowerCase().includes(word.toLowerCase()))
      ) {
        found.push(`- \`${path}\`, line ${index + 1}: \`${line.trim().slice(0, 120)}\``);
      }
    }
  }
  return found.length === 0
    ? ""
    : `What your question mentions stands here:\n\n${found.join("\n")}`;
}

const EMPTY =
  "The project has no files yet. Tell me what to build and I will start, for example *“create a file index.html”*.";
