import { common } from "./init-fixtures.ts";
import { runsAfterInit } from "./init-run.ts";

runsAfterInit({
  name: "an AI SDK app with src/ and an alias",
  files: common,
  route: "src/app/api/messages/route.ts",
  model: "anthropic/claude-sonnet-4.5",
  numbers: { max_tokens: 1500, temperature: 0.3 },
  tools: ["lookupOrder", "readFile", "writeFile"],
});
