// npm run dev: sets up what is missing, then local/commands/dev.ts.

import { runCommand } from "./setup.mjs";

await runCommand("dev");
