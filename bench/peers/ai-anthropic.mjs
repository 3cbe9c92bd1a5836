// The replaced app's path: ai 6 with the Anthropic provider.

import { createAnthropic } from "@ai-sdk/anthropic";
import { aiSdk } from "./ai-sdk.mjs";
import { kept, MODEL, modelUrl } from "./scenario.mjs";

export async function create({ base }) {
  const modelOf = kept((scenario) =>
    createAnthropic({ baseURL: modelUrl(base, scenario), apiKey: "bench" })(MODEL),
  );
  return aiSdk(modelOf);
}
