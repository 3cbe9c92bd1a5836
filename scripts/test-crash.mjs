// npm run test:crash: sets up what is missing, then __test__/crash/main.ts.

import { runTypeScript } from "./setup.mjs";

await runTypeScript("__test__/crash/main.ts");
