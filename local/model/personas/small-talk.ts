// Greetings, thanks, and "list files": what needs no thought about the project's code.

import type { Persona } from "./knowledge.ts";

export const greeting: Persona = {
  name: "greeting",
  applies: ({ userText }) =>
    /^\s*(hi|hello|hey|hallo|good (morning|afternoon|evening)|thanks?( you)?|thx|bye)\b[^\n]{0,30}$/i.test(
      userText,
    ) && !/\b(add|create|delete|rename|explain|list|file|change)\b/i.test(userText),
  reply: ({ userText }) => ({
    say: /thank|thx/i.test(userText)
      ? "You're welcome. Tell me what should come next."
      : /bye/i.test(userText)
        ? "Goodbye. Your files stay as they are."
        : "Hello! I can read, write and explain the files of this project. Try *“add a dark mode toggle”*, *“explain App.tsx”* or *“what does this project do?”*",
  }),
};

export const listFiles: Persona = {
  name: "list-files",
  applies: ({ userText }) =>
    /\b(list|show|what|which)\b[^.?!]{0,30}\b(files|folders|structure|directory)\b/i.test(
      userText,
    ) && !/\b(create|add|delete|explain)\b/i.test(userText),
  reply(view, project) {
    const folder =
      /\b(?:in|of|under|inside)\s+[`"']?(?!the\b|this\b|my\b)([\w@./-]+?)\/?[`"']?[\s?.!]*$/i.exec(
        view.userText,
      )?.[1];
    if (folder !== undefined && view.tools.has("listFiles")) {
      const listed = project.listed.get(folder);
      if (listed === undefined) {
        return { calls: [{ name: "listFiles", args: { path: folder } }] };
      }
      return { say: `This is in \`${folder}\`:\n\n\`\`\`\n${listed}\n\`\`\`` };
    }
    if (project.files === undefined) {
      if (view.tools.has("getProjectStructure")) {
        return { calls: [{ name: "getProjectStructure", args: {} }] };
      }
      if (view.tools.has("listFiles")) return { calls: [{ name: "listFiles", args: {} }] };
      return { say: "I was given no tool to look at the project's files." };
    }
    const { files } = project;
    if (files.length === 0) return { say: "The project has no files yet." };
    return {
      say: `The project has ${files.length} file${files.length === 1 ? "" : "s"}:\n\n${files.map((path) => `- \`${path}\``).join("\n")}`,
    };
  },
};
