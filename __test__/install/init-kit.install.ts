import { old } from "./init-fixtures.ts";
import { runsAfterInit } from "./init-run.ts";

runsAfterInit({
  name: "an agent kit app with functions elsewhere",
  files: old,
  route: "app/api/messages/route.ts",
  model: "claude-opus-4-20250514",
  numbers: { max_tokens: 3000, temperature: 0.1 },
  tools: ["listFiles", "lookupOrder"],
});
