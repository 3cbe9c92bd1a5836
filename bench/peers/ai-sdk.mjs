// The AI SDK as its users write it: streamText, the text stream with an error callback, tools with
// zod schemas, the loop bounded by steps. Which provider it talks through is the caller's choice.

import { stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import {
  MAX_STEPS,
  MAX_TOKENS,
  PROMPT,
  TEMPERATURE,
  TOOL,
  usesTools,
  writeFile,
} from "./scenario.mjs";

/** @param {(scenario: string) => import("ai").LanguageModel} modelOf */
export function aiSdk(modelOf) {
  return async function run(scenario, onDelta) {
    const files = new Map();
    let failure;
    const result = streamText({
      model: modelOf(scenario),
      messages: [{ role: "user", content: PROMPT }],
      temperature: TEMPERATURE,
      maxOutputTokens: MAX_TOKENS,
      onError: ({ error }) => {
        failure = error;
      },
      ...(usesTools(scenario) ? { tools: toolsOf(files), stopWhen: stepCountIs(MAX_STEPS) } : {}),
    });
    let text = "";
    for await (const delta of result.textStream) {
      onDelta?.();
      text += delta;
    }
    if (failure !== undefined) throw failure;
    return { text, files };
  };
}

function toolsOf(files) {
  return {
    [TOOL.name]: tool({
      description: TOOL.description,
      inputSchema: z.object({
        path: z.string().describe("Path of the file, relative to the project root"),
        content: z.string().describe("The complete new contents of the file"),
      }),
      execute: async (input) => writeFile(files)(input),
    }),
  };
}
