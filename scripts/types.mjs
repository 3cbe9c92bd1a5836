// npm run types: writes npm/src/generated.ts from the Rust types that cross the bridge.
// `--check` writes nothing and fails when the file is not what the types say.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./process.mjs";
import { main, ROOT, SetupError, setup } from "./setup.mjs";

const FILE = "npm/src/generated.ts";

await main(async () => {
  await setup({ addon: false });
  const args = ["run", "--quiet", "--package", "polaris-core", "--example", "types"];
  const { code, output, errors } = await run("cargo", args, { cwd: ROOT, quiet: true });
  if (code !== 0) throw new SetupError(`cargo ${args.join(" ")} failed.\n${errors || output}`);
  const path = join(ROOT, FILE);
  if (!process.argv.includes("--check")) {
    writeFileSync(path, output);
  } else if (readFileSync(path, "utf8") !== output) {
    throw new SetupError(`${FILE} is not what the Rust types say: run npm run types`);
  }
});
