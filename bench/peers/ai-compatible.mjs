// ai 6 with the OpenAI-compatible provider.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { aiSdk } from "./ai-sdk.mjs";
import { kept, MODEL, modelUrl } from "./scenario.mjs";

export async function create({ base }) {
  const modelOf = kept((scenario) =>
    createOpenAICompatible({
      name: "bench",
      baseURL: modelUrl(base, scenario),
      apiKey: "bench",
      includeUsage: true,
    })(MODEL),
  );
  return aiSdk(modelOf);
}
