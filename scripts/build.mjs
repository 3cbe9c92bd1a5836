// npm run build: the release addon for this platform. Prints its path and size.

import { statSync } from "node:fs";
import { relative } from "node:path";
import { addonPath, buildAddon, buildPackageCode, main, ROOT, setup } from "./setup.mjs";

await main(async () => {
  await setup({ addon: false });
  await buildAddon({ release: true, quiet: false });
  await buildPackageCode();
  const path = addonPath();
  const megabytes = statSync(path).size / 1024 / 1024;
  process.stdout.write(`${relative(ROOT, path)}  ${megabytes.toFixed(1)} MiB\n`);
});
