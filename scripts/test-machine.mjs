// npm run test:machine: sets up what is missing, then __test__/machine/main.ts.

import { runTypeScript } from "./setup.mjs";

await runTypeScript("__test__/machine/main.ts");
