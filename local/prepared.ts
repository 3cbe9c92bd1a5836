// Finds the bundle of a service's program that scripts/local-code.mjs has made of the sources. A bundle
// that is older than a source is not used: a change of the code counts at once.

import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), "..");
const FOLDER = join(REPOSITORY, ".polaris", "code");

/** The bundled `<name>/main.ts`; undefined: the source is to be run. */
export function preparedProgram(name: string): string | undefined {
  try {
    const sources = JSON.parse(readFileSync(join(FOLDER, "sources.json"), "utf8")) as Record<
      string,
      number
    >;
    const isFresh = Object.entries(sources).every(
      ([path, time]) => statSync(join(REPOSITORY, path)).mtimeMs === time,
    );
    const program = join(FOLDER, `${name}.mjs`);
    return isFresh && statSync(program).isFile() ? program : undefined;
  } catch {
    return undefined;
  }
}
