// npm run test:browser: the app in a real browser, as a production build on the local stack. A path or
// a part of a file's name chooses.

import { ensureBrowser } from "./browser.mjs";
import { main, setup } from "./setup.mjs";
import { findTests, NONE, runNodeTests, summary } from "./tests.mjs";

await main(async () => {
  await setup();
  const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
  const files = findTests(["__test__/browser"]).filter(
    (file) => wanted.length === 0 || wanted.some((part) => file.includes(part)),
  );
  let total;
  if ((await ensureBrowser()) === undefined && process.env.CI === undefined) {
    process.stderr.write(
      "polaris: there is no Chrome or Chromium, so the browser tests are left out (set CHROME_PATH)\n",
    );
    total = { ...NONE, skipped: files.length };
  } else {
    total = await runNodeTests(files, { concurrency: 1 });
  }
  process.stdout.write(`\n${summary(total)}\n`);
  process.exitCode = total.failed > 0 || total.passed + total.skipped === 0 ? 1 : 0;
});
