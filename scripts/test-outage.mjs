// npm run test:outage: sets up what is missing, builds the release addon (what a run takes beyond its
// stream is shown), then __test__/outage/main.ts.

import { runRelease } from "./release.mjs";

await runRelease("test:outage", "__test__/outage/main.ts");
