// npm test: Rust, then TypeScript beside the code, then what needs several rooms at once (alone, as
// times are measured there). `npm test -- local/model` runs only the test files below a path.

import { ensureBrowser } from "./browser.mjs";
import { ensurePackages, main, SANDBOX_TOOLS, setup } from "./setup.mjs";
import { findTests, runCargoTests, runNodeTests, sum, summary } from "./tests.mjs";

const BESIDE_THE_CODE = ["scripts", "local", "app", "npm", "trigger"];
const TOGETHER = ["__test__"];

await main(async () => {
  await setup();
  const places = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
  let total;
  if (places.length > 0) {
    total = await runNodeTests(findTests(places), { concurrency: 1 });
  } else {
    // Without one, and not in CI, the browser tests count as skipped.
    await ensureBrowser();
    // Without them, and not in CI, commands are tried out without linters and test runners.
    if (process.env.CI !== undefined) await ensurePackages(SANDBOX_TOOLS);
    total = sum(
      await runCargoTests(),
      await runNodeTests(findTests(BESIDE_THE_CODE), { concurrency: 2 }),
      await runNodeTests(findTests(TOGETHER), { concurrency: 1 }),
    );
  }
  process.stdout.write(`\n${summary(total)}\n`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
});
