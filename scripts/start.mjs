// npm start: sets up what is missing, then local/commands/start.ts.

import { runTypeScript } from "./setup.mjs";

await runTypeScript("local/commands/start.ts");
