// A message into a slow store, both ways: the replaced app's loop (every write awaited where it
// happens, the full text each time), and job `process-message`. Returns the account under which the
// store counted.

import { startRun } from "../../npm/dist/index.mjs";
import { MAX_STEPS, MAX_TOKENS, MODEL, modelUrl, PROMPT, TEMPERATURE, TOOL } from "./scenario.mjs";

/** At most one write of the text in this time, by the clock of the loop. */
const THROTTLE_MS = 100;

let accounts = 0;

function storeUrl(base, writeMs) {
  const account = `${process.pid}-${accounts++}`;
  return { account, url: `${base}/c/${writeMs}/${account}` };
}

export async function polaris({ base }) {
  process.env.POLARIS_PRIMARY_MODEL = MODEL;
  process.env.POLARIS_CONVEX_INTERNAL_KEY = "bench";
  return async (scenario, writeMs) => {
    const { account, url } = storeUrl(base, writeMs);
    process.env.POLARIS_PRIMARY_BASE_URL = modelUrl(base, scenario);
    process.env.CONVEX_URL = url;
    const run = startRun({ job: "process-message", payload: { messageId: "m" } });
    await run.result();
    return account;
  };
}

export async function replaced({ base }) {
  const [{ createAnthropic }, { stepCountIs, streamText, tool }, { z }, convex, server] =
    await Promise.all([
      import("@ai-sdk/anthropic"),
      import("ai"),
      import("zod"),
      import("convex/browser"),
      import("convex/server"),
    ]);
  const { system } = server.anyApi;
  return async (scenario, writeMs) => {
    const { account, url } = storeUrl(base, writeMs);
    const client = new convex.ConvexHttpClient(url);
    const keyed = { internalKey: "bench", messageId: "m" };
    const write = (name, args) => client.mutation(system[name], { ...keyed, ...args });
    await client.query(system.getMessageContext, keyed);
    const result = streamText({
      model: createAnthropic({ baseURL: modelUrl(base, scenario), apiKey: "bench" })(MODEL),
      system: "You are a coding assistant.",
      messages: [{ role: "user", content: PROMPT }],
      temperature: TEMPERATURE,
      maxOutputTokens: MAX_TOKENS,
      stopWhen: stepCountIs(MAX_STEPS),
      tools: {
        [TOOL.name]: tool({
          description: TOOL.description,
          inputSchema: z.object({ path: z.string(), content: z.string() }),
          execute: async ({ path, content }) => {
            await write("writeFileByPath", { projectId: "p", path, content });
            return `Wrote ${path}`;
          },
        }),
      },
      onStepFinish: async ({ toolCalls, toolResults }) => {
        for (const { toolCallId: id, toolName: name, input: args } of toolCalls) {
          await write("appendToolCall", { toolCall: { id, name, args } });
        }
        for (const { toolCallId, output } of toolResults) {
          await write("appendToolResult", { toolCallId, result: output });
        }
      },
    });
    let text = "";
    let written = Number.NEGATIVE_INFINITY;
    for await (const delta of result.textStream) {
      text += delta;
      const now = performance.now();
      if (now - written < THROTTLE_MS) continue;
      // Taken before the write, as the replaced app did: a write of 100 ms makes the next delta due.
      written = now;
      await write("streamMessageContent", { content: text, isComplete: false });
    }
    await write("streamMessageContent", { content: text, isComplete: true });
    return account;
  };
}
