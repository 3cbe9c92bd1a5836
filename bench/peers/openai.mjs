// The openai package, with the loop written by hand as its users do.

import OpenAI from "openai";
import { chatLoop } from "./chat-loop.mjs";
import { kept, modelUrl } from "./scenario.mjs";

export async function create({ base }) {
  const clientOf = kept(
    (scenario) => new OpenAI({ baseURL: modelUrl(base, scenario), apiKey: "bench" }),
  );
  return (scenario, onDelta) =>
    chatLoop(scenario, onDelta, async (body, onChunk) => {
      const stream = await clientOf(scenario).chat.completions.create(body);
      for await (const chunk of stream) onChunk(chunk);
    });
}
