// `.env.local`: what a team with accounts has written down. An empty value counts as unset.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { type Settings, settingsFrom } from "../stack/services.ts";
import { ROOT } from "./lifecycle.ts";

export const ENV_FILE = join(ROOT, ".env.local");

export async function readSettings(path = ENV_FILE): Promise<Settings> {
  try {
    return settingsFrom(parseEnv(await readFile(path, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}
