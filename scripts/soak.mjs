// npm run soak: sets up what is missing, builds the release addon (a debug build has not the speed for
// a thousand runs), then __test__/soak/main.ts.

import { runRelease } from "./release.mjs";

await runRelease("soak", "__test__/soak/main.ts");
