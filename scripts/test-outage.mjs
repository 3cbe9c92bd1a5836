// npm run test:outage: sets up what is missing, then __test__/outage/main.ts.

import { runTypeScript } from "./setup.mjs";

await runTypeScript("__test__/outage/main.ts");
