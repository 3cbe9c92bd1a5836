// "Delete X": finds the file the user means, deletes it, says what the tool said.

import { findFile, type Persona, pathsIn, survey } from "./knowledge.ts";

const REQUEST = /\b(delete|remove)\b\s+(?:the\s+)?(?:files?\s+|folder\s+)?[`"']?([\w@./[\]-]+)/i;

export const deleteFile: Persona = {
  name: "delete-file",
  applies: ({ userText }) => {
    const named = REQUEST.exec(userText)?.[2];
    return (
      named !== undefined && (pathsIn(userText).length > 0 || /\b(file|folder)\b/i.test(userText))
    );
  },
  reply(view, project) {
    const look = survey(view, project);
    if (look !== undefined) return { calls: [look] };
    const paths = pathsIn(view.userText);
    const names = paths.length > 0 ? paths : [REQUEST.exec(view.userText)?.[2] ?? ""];
    const files = project.files ?? [];
    const targets = names.map((name) => findFile(files, name) ?? name.replace(/\/$/, ""));
    if (!view.tools.has("deleteFile")) return { say: "I was given no tool that deletes files." };
    const open = targets.filter((path) => !project.deleted.has(path) && !project.failed.has(path));
    if (open.length > 0) {
      return { calls: open.map((path) => ({ name: "deleteFile", args: { path } })) };
    }
    const lines = targets.map((path) => {
      const failure = project.failed.get(path);
      return failure === undefined
        ? `Deleted \`${path}\`.`
        : `\`${path}\` was not deleted: ${failure}`;
    });
    return { say: lines.join("\n\n") };
  },
};
