// npm run bench: sets up what is missing, reads the command line, builds the release addon and the bench's
// own programs, installs the peers apart from the root's packages, then bench/run.ts.

import { join } from "node:path";
import { run } from "./process.mjs";
import { releaseAddon } from "./release.mjs";
import { main, npmCommand, ROOT, SetupError, setup, stalePackages } from "./setup.mjs";

const BENCH = join(ROOT, "bench");

await main(async () => {
  await setup({ addon: false });
  const { register } = await import("tsx/esm/api");
  register();
  const { argumentsOrExit } = await import("../bench/arguments.ts");
  argumentsOrExit();
  await releaseAddon("bench", ["polaris-sandbox", "polaris-bench"]);
  await installPeers();
  await import("../bench/run.ts");
});

async function installPeers() {
  const why = stalePackages(BENCH);
  if (why === undefined) return;
  say(`installing the peers into bench/node_modules (npm ci): ${why}`);
  const [npm, before] = npmCommand();
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const args = [...before, "ci", ...quiet];
  const { code, output, errors } = await run(npm, args, { cwd: BENCH, quiet: true });
  if (code !== 0) throw new SetupError(`The peers could not be installed.\n${output}${errors}`);
}

function say(line) {
  process.stderr.write(`polaris: ${line}\n`);
}
