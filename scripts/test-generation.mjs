// npm run test:generation: a project generation whose workers are killed inside each step and between
// each two, twice in each step, and frozen for a minute. npm test takes one of each.

import { main, setup } from "./setup.mjs";
import { runNodeTests, summary } from "./tests.mjs";

/** Some twenty generations, one after the other. */
const TIMEOUT_MS = 3_600_000;

await main(async () => {
  await setup();
  process.env.GENERATION_WHOLE = "1";
  const files = ["__test__/end-to-end/generation-killed.test.ts"];
  const total = await runNodeTests(files, { concurrency: 1, timeoutMs: TIMEOUT_MS });
  process.stdout.write(`\n${summary(total)}\n`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
});
