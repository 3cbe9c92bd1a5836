// npm run dev: sets up what is missing, then local/commands/dev.ts.

import { runTypeScript } from "./setup.mjs";

await runTypeScript("local/commands/dev.ts");
