// npm run test:sandbox [-- names]: every escape and abuse attempt against the real helper, as root and
// as an ordinary user, at each level that this machine has. npm test runs a sample of them.

import { main } from "./setup.mjs";
import { runCargoTests, summary } from "./tests.mjs";

await main(async () => {
  process.env.CORPUS_WHOLE = "1";
  const total = await runCargoTests({
    packages: ["--package", "polaris-sandbox"],
    args: process.argv.slice(2),
  });
  process.stdout.write(`\n${summary(total)}\n`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
});
