// npm run test:sandbox [-- names]: every escape and abuse attempt against the real helper, and what people
// ask commands for; as root and as an ordinary user, at each level that this machine has. npm test runs a
// sample of the attempts.

import { ensurePackages, main, SANDBOX_TOOLS } from "./setup.mjs";
import { runCargoTests, sum, summary } from "./tests.mjs";

await main(async () => {
  process.env.CORPUS_WHOLE = "1";
  await ensurePackages(SANDBOX_TOOLS);
  const args = process.argv.slice(2);
  const total = sum(
    await runCargoTests({ packages: ["--package", "polaris-sandbox"], args }),
    await runCargoTests({ packages: ["--package", "polaris-core", "--test", "command"], args }),
  );
  process.stdout.write(`\n${summary(total)}\n`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
});
