// npm run check: formatters, linters, types, and everything generated still fresh. All are run, also
// after a failure; only what failed prints its output.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "./process.mjs";
import { main, ROOT, setup } from "./setup.mjs";

const bin = (name) => join(ROOT, "node_modules", ".bin", name);
const typescript = (...args) => [process.execPath, ["--import", "tsx", ...args]];

/** What was checked before and has not changed is not checked again. */
const INCREMENTAL = [
  "--incremental",
  "--tsBuildInfoFile",
  join(ROOT, "node_modules/.cache/polaris/types.tsbuildinfo"),
];

/** [what it is, command, arguments, the file without which it does not apply] */
const STEPS = [
  ["rustfmt", "cargo", ["fmt", "--all", "--check"]],
  [
    "clippy",
    "cargo",
    ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"],
  ],
  ["biome", bin("biome"), ["ci", "--error-on-warnings", "--colors=off", "--max-diagnostics=50"]],
  ["types", bin("tsc"), ["-p", "tsconfig.json", "--noEmit", ...INCREMENTAL]],
  [
    "types of app/convex",
    bin("tsc"),
    ["-p", "app/convex/tsconfig.json", "--noEmit"],
    "app/convex/tsconfig.json",
  ],
  [
    "Convex code generation",
    ...typescript("local/convex/codegen-check.ts"),
    "local/convex/codegen-check.ts",
  ],
  [
    "Convex contract",
    ...typescript("local/convex/contract.ts", "--check"),
    "local/convex/contract.ts",
  ],
  ["types from Rust", process.execPath, ["scripts/types.mjs", "--check"], "npm/src/generated.ts"],
  [
    "table of error codes",
    process.execPath,
    ["scripts/troubleshooting.mjs", "--check"],
    "docs/troubleshooting.md",
  ],
  ["API reference", process.execPath, ["scripts/api.mjs", "--check"], "docs/api.md"],
  ["bench results", process.execPath, ["scripts/results.mjs", "--check"], "bench/results.json"],
  ["package code", process.execPath, ["npm/build.mjs", "--check"], "npm/build.mjs"],
];

await main(async () => {
  await setup({ addon: false });
  let failed = 0;
  for (const [name, command, args, file] of STEPS) {
    if (file !== undefined && !existsSync(join(ROOT, file))) continue;
    const begun = Date.now();
    const { code, output, errors } = await run(command, args, { cwd: ROOT, quiet: true });
    const seconds = ((Date.now() - begun) / 1000).toFixed(1);
    process.stdout.write(`${code === 0 ? "ok    " : "FAILED"}  ${name} (${seconds} s)\n`);
    if (code === 0) continue;
    failed++;
    process.stdout.write(`${`${output}\n${errors}`.trim()}\n\n`);
  }
  process.stdout.write(failed === 0 ? "All checks passed.\n" : `${failed} check(s) failed.\n`);
  process.exitCode = failed === 0 ? 0 : 1;
});
