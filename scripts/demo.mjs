// npm run demo: sets up what is missing, then local/commands/demo.ts.

import { runTypeScript } from "./setup.mjs";

await runTypeScript("local/commands/demo.ts");
