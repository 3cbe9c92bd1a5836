// Runs at the end of `npm install` in a checkout: builds what `npx trigger.dev dev` needs, the addon
// and the package's code. An install must not fail for a missing compiler: it says what is missing.

import { SetupError, setup } from "./setup.mjs";

try {
  await setup({ packages: false });
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`polaris: ${error.message}\n`);
}
