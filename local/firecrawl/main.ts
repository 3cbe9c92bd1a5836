// The Firecrawl stand-in as its own process.

import { runService } from "../service.ts";
import { startFirecrawl } from "./index.ts";

await runService("firecrawl", ({ port, state }) =>
  startFirecrawl({
    ...(port === undefined ? {} : { port }),
    ...(state === undefined ? {} : { state }),
  }),
);
