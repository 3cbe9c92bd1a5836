// "Change the title to …", "replace "A" with "B"": edits of text that stands in the project's files.

import { findApp } from "./code.ts";
import { findFile, type Persona, readsFor, survey } from "./knowledge.ts";

const REPLACE = /\breplace\s+["“`]([^"”`]+)["”`]\s+(?:with|by)\s+["“`]([^"”`]*)["”`]/i;
const TITLE =
  /\b(?:change|set|make|update|rename)\s+(?:the\s+)?(?:page\s+|main\s+|app\s+)?(title|heading|headline)\s+(?:to|into|say|as)\s+["“`']?(.+?)["”`']?[.!]?\s*$/i;
const MAX_SCANNED_FILES = 12;

export const changeText: Persona = {
  name: "change-text",
  applies: ({ userText }) => REPLACE.test(userText) || TITLE.test(userText),
  reply(view, project) {
    const look = survey(view, project);
    if (look !== undefined) return { calls: [look] };
    if (!view.tools.has("readFile") || !view.tools.has("writeFile")) {
      return { say: "I was given no tools to read and write files, so I cannot change the text." };
    }
    const files = project.files ?? [];
    const title = TITLE.exec(view.userText);
    const candidates =
      title === null
        ? files
            .filter((path) => /\.(tsx?|jsx?|html|css|md|json)$/.test(path))
            .slice(0, MAX_SCANNED_FILES)
        : [findFile(files, "index.html"), findApp(files)].filter((path) => path !== undefined);
    const reads = readsFor(view, project, candidates);
    if (reads.length > 0) return { say: "Let me find it.\n\n", calls: reads };

    const [, from = "", to = ""] = REPLACE.exec(view.userText) ?? [];
    const text = title?.[2] ?? "";
    const edits: [string, string][] = [];
    for (const path of candidates) {
      const source = project.read.get(path);
      if (source === undefined) continue;
      const changed =
        title === null
          ? source.replaceAll(from, to)
          : source
              .replace(/(<title>)[^<]*(<\/title>)/, (_, open, close) => `${open}${text}${close}`)
              .replace(/(<h1[^>]*>)[^<{]*(<\/h1>)/, (_, open, close) => `${open}${text}${close}`);
      if (changed !== source) edits.push([path, changed]);
    }
    if (edits.length === 0) {
      return {
        say:
          title === null
            ? `“${from}” stands in none of the files I read.`
            : "I found no title or heading that differs from that.",
      };
    }
    const open = edits.filter(([path]) => !project.written.has(path) && !project.failed.has(path));
    if (open.length > 0) {
      return {
        calls: open.map(([path, content]) => ({ name: "writeFile", args: { path, content } })),
      };
    }
    const lines = edits.map(([path]) => {
      const failure = project.failed.get(path);
      return failure === undefined
        ? `- \`${path}\`: changed`
        : `- \`${path}\`: not changed (${failure})`;
    });
    const what = title === null ? `“${from}” is now “${to}”` : `The ${title[1]} is now “${text}”`;
    return { say: `${what}:\n\n${lines.join("\n")}` };
  },
};
