// npm run say: sets up what is missing, then local/commands/say.ts.

import { runTypeScript } from "./setup.mjs";

await runTypeScript("local/commands/say.ts");
