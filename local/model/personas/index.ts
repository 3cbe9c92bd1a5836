// The personas in the order in which they are asked; the last one always applies. A new kind of
// request is a new file here and one line in this list.

import { addComponent } from "./add-component.ts";
import { changeText } from "./change-text.ts";
import { createFile } from "./create-file.ts";
import { darkMode } from "./dark-mode.ts";
import { deleteFile } from "./delete-file.ts";
import { explain, overview } from "./explain.ts";
import { generateProject } from "./generate-project/index.ts";
import type { Persona } from "./knowledge.ts";
import { renameFile } from "./rename-file.ts";
import { greeting, listFiles } from "./small-talk.ts";

export const personas: readonly Persona[] = [
  generateProject,
  greeting,
  listFiles,
  renameFile,
  deleteFile,
  createFile,
  darkMode,
  changeText,
  addComponent,
  explain,
  overview,
];
