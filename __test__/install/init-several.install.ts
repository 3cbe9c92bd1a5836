import { several } from "./init-fixtures.ts";
import { runsAfterInit } from "./init-run.ts";

runsAfterInit({
  name: "an app with other functions, which stay, and another sign-in",
  files: several,
  route: "src/app/api/messages/route.ts",
  model: "openai/gpt-5-mini",
  numbers: { max_tokens: 2000, temperature: 0 },
  tools: ["lookupOrder"],
});
