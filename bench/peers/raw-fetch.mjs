// fetch with eventsource-parser: about the least that JavaScript can do.

import { createParser } from "eventsource-parser";
import { chatLoop } from "./chat-loop.mjs";
import { modelUrl } from "./scenario.mjs";

export async function create({ base }) {
  return (scenario, onDelta) =>
    chatLoop(scenario, onDelta, async (body, onChunk) => {
      const response = await fetch(`${modelUrl(base, scenario)}/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: "Bearer bench" },
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      const parser = createParser({
        onEvent: ({ data }) => {
          if (data !== "[DONE]") onChunk(JSON.parse(data));
        },
      });
      const decoder = new TextDecoder();
      for await (const bytes of response.body) parser.feed(decoder.decode(bytes, { stream: true }));
    });
}
