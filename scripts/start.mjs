// npm start: sets up what is missing, the app's production build too, then local/commands/start.ts.

import { runCommand } from "./setup.mjs";

await runCommand("start", { app: !process.argv.includes("--dev") });
