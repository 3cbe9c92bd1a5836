// "Rename X to Y": reads the file, writes it under its new name, points the imports of other files
// at it, deletes the old one.

import { baseName, findFile, folderOf, type Persona, readsFor, survey } from "./knowledge.ts";

const REQUEST =
  /\b(?:rename|move)\s+(?:the\s+)?(?:file\s+)?[`"']?([\w@./[\]-]+)[`"']?\s+(?:to|into|as)\s+[`"']?([\w@./[\]-]+)[`"']?/i;
const MAX_SCANNED_FILES = 12;

export const renameFile: Persona = {
  name: "rename-file",
  applies: ({ userText }) => REQUEST.test(userText),
  reply(view, project) {
    const look = survey(view, project);
    if (look !== undefined) return { calls: [look] };
    const [, oldName = "", asked = ""] = REQUEST.exec(view.userText) ?? [];
    const newName = asked.replace(/[.,;]$/, "");
    const files = project.files ?? [];
    const from = findFile(files, oldName);
    if (from === undefined)
      return { say: `I found no file called \`${oldName}\` in this project.` };
    const extension = /\.[^.]+$/.exec(baseName(from))?.[0] ?? "";
    const withExtension = /\.[A-Za-z]\w*$/.test(newName) ? newName : newName + extension;
    const to = newName.includes("/") ? withExtension : folderOf(from) + withExtension;
    if (from === to) return { say: `\`${from}\` already has that name.` };
    if (!view.tools.has("writeFile") || !view.tools.has("deleteFile")) {
      return { say: "I was given no tools to write and delete files, so I cannot rename." };
    }
    const code = files.filter((path) => /\.(tsx?|jsx?|mjs|html|css)$/.test(path));
    const reads = readsFor(view, project, [from, ...code.slice(0, MAX_SCANNED_FILES)]);
    if (reads.length > 0)
      return { say: `I'll read \`${from}\` and what refers to it.\n\n`, calls: reads };
    const content = project.read.get(from);
    if (content === undefined)
      return { say: `\`${from}\` could not be read: ${project.failed.get(from)}` };

    const edits: [string, string][] = [[to, content]];
    if (folderOf(from) === folderOf(to)) {
      const stem = (path: string): string => baseName(path).replace(/\.[^.]+$/, "");
      const reference = new RegExp(
        `(["'][./][^"']*?)\\b${escapeRegExp(stem(from))}((?:\\.\\w+)?["'])`,
        "g",
      );
      for (const [path, source] of project.read) {
        if (path === from) continue;
        const changed = source.replace(reference, `$1${stem(to)}$2`);
        if (changed !== source) edits.push([path, changed]);
      }
    }
    const open = edits.filter(([path]) => !project.written.has(path) && !project.failed.has(path));
    if (open.length > 0) {
      return {
        calls: open.map(([path, text]) => ({ name: "writeFile", args: { path, content: text } })),
      };
    }
    const failure = edits
      .map(([path]) => project.failed.get(path))
      .find((text) => text !== undefined);
    if (failure !== undefined) return { say: `The file was not renamed: ${failure}` };
    if (!project.deleted.has(from) && !project.failed.has(from)) {
      return { calls: [{ name: "deleteFile", args: { path: from } }] };
    }
    const others = edits.slice(1).map(([path]) => `\`${path}\``);
    const also = others.length === 0 ? "" : ` References in ${others.join(", ")} now point to it.`;
    return { say: `Renamed \`${from}\` to \`${to}\`.${also}` };
  },
};

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
