// npm run demo: sets up what is missing, then local/commands/demo.ts.

import { runCommand } from "./setup.mjs";

await runCommand("demo");
