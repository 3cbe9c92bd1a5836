// Writes docs/troubleshooting.md from the table of error codes (npm/src/generated.ts, which is made
// from the core's). `--check` writes nothing and fails when the file is not what the table says.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { main, ROOT, SetupError, setup } from "./setup.mjs";

const FILE = "docs/troubleshooting.md";

const HEAD = `# Troubleshooting, by error code

Every error of a run has a code. It stands at the beginning of the failed run's error on the page of the
runner (\`CODE: message\`), in \`error.code\` of what \`result()\` throws, in the error report, and beside a
failed message. "Retried" says whether a new attempt of the run can help; the task's \`retry\` decides how
often that is tried.

This table is generated from the code: \`node scripts/troubleshooting.mjs\`.

| code | what it means | retried | what to do |
|---|---|---|---|
`;

const TAIL = `
## The addon cannot be loaded

The message says which files were looked for, on which machine, and two commands, one of which helps:

| it says | because | what helps |
|---|---|---|
| \`not found\` | npm left out optional dependencies (\`--omit=optional\`, or a lock file from another platform) | \`npm install polaris-agent@VERSION --include=optional\` |
| \`is version A, needed is B\` | a lock file holds an older platform package | \`npm install --force polaris-agent@B polaris-agent-PLATFORM@B\` |
| \`is damaged or made for another machine\` | a download that was cut, or a folder copied from another machine | the same command: a fresh copy |
| \`There is no published addon for …\` | the platform is not in the README's table | \`npm run build\` in a checkout, with Rust; or one of the platforms of the table, in a container |
| \`needs Node 20.19 or newer\` | Node is older | a newer Node |

\`POLARIS_NATIVE_LIBRARY_PATH\` names one file to load instead of looking for any.
`;

await main(async () => {
  await setup({ addon: false });
  const { register } = await import("tsx/esm/api");
  register();
  const { ERROR_CODES } = await import("../npm/src/generated.ts");
  const meanings = readMeanings();
  const rows = Object.entries(ERROR_CODES).map(
    ([code, { retryable, hint }]) =>
      `| \`${code}\` | ${meanings.get(code) ?? ""} | ${retryable ? "yes" : "no"} | ${hint} |`,
  );
  const text = `${HEAD}${rows.join("\n")}\n${TAIL}`.replace(/[ \t]+$/gm, "");
  const path = join(ROOT, FILE);
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    throw new SetupError(
      `${FILE} is not what the table of codes says: run node scripts/troubleshooting.mjs`,
    );
  }
});

/** The comment above each code in the core's enum. */
function readMeanings() {
  const source = readFileSync(join(ROOT, "crates/core/src/error.rs"), "utf8");
  const body = source.slice(
    source.indexOf("pub enum ErrorCode {"),
    source.indexOf("impl ErrorCode"),
  );
  const found = new Map();
  for (const [, comment, name] of body.matchAll(/((?:\s+\/\/\/ .*\n)+)\s+(\w+),/g)) {
    const words = comment.split("\n").map((line) => line.trim().replace(/^\/\/\/ ?/, ""));
    const code = name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
    found.set(code, words.join(" ").trim().replace(/\.$/, ""));
  }
  return found;
}
