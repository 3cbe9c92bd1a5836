// npm run say: sets up what is missing, then local/commands/say.ts.

import { runCommand } from "./setup.mjs";

await runCommand("say");
