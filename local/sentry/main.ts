// The Sentry stand-in as its own process.

import { runService } from "../service.ts";
import { startSentry } from "./index.ts";

await runService("sentry", ({ port }) => startSentry(port === undefined ? {} : { port }));
