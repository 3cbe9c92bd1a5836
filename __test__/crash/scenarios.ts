// What the killed runs do: one message of nothing but text, and one tool loop with everything that
// can go twice: reads, two writes in one turn, a delete, and a provider's id that comes again.

import type { ScriptInput } from "../../local/model/script.ts";

export interface Scenario {
  name: string;
  /** Files of the project before the run. */
  files: Readonly<Record<string, string>>;
  turns: ScriptInput["turns"];
}

/** So that a text is streamed over several timer writes. */
const DELTA_MS = 11;
const PIECES = ["The north ", "star 北極星 ", "stands ", "still: ", "größer ", "als 🎉 ", "du. "];

function pieces(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${n} ${PIECES[n % PIECES.length]}`);
}

function write(id: string, path: string, content: string) {
  return { id, name: "writeFile", args: { path, content } };
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "message",
    files: { "README.md": "# Stars\n" },
    turns: [{ chunks: pieces(45), deltaMs: DELTA_MS }],
  },
  {
    name: "tool-loop",
    files: {
      "README.md": "# Stars\n",
      "notes.md": "old notes\n",
      "old.txt": "to be deleted\n",
      "src/index.ts": "export {};\n",
    },
    turns: [
      {
        text: "I look first. ",
        toolCalls: [
          { id: "functions.readFile:0", name: "readFile", args: { path: "README.md" } },
          { id: "functions.listFiles:1", name: "listFiles", args: { path: "src" } },
          { id: "functions.readFile:2", name: "readFile", args: { path: "not/there.md" } },
        ],
      },
      {
        chunks: pieces(14),
        deltaMs: DELTA_MS,
        toolCalls: [
          write("functions.writeFile:0", "src/one.ts", "export const one = 1; // größer 🎉\n"),
          write("functions.writeFile:1", "src/deep/er/two.ts", "export const two = 2;\n"),
        ],
      },
      {
        // No text, and an id that this message has had already.
        toolCalls: [
          write("functions.writeFile:0", "notes.md", "new notes\n"),
          { id: "call_delete", name: "deleteFile", args: { path: "old.txt" } },
        ],
      },
      { chunks: pieces(22), deltaMs: DELTA_MS },
    ],
  },
];
