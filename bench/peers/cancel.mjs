// A stream that is cancelled midway, as users of each client do it. `start(base, onDelta)` returns
// how to cancel it and when it is over.

import { MODEL, PROMPT } from "./scenario.mjs";

export async function polaris() {
  const { startRun } = await import("../../npm/dist/index.mjs");
  process.env.POLARIS_PRIMARY_MODEL = MODEL;
  return (base, onDelta) => {
    process.env.POLARIS_PRIMARY_BASE_URL = base;
    const run = startRun({
      job: "agent",
      payload: { messages: [{ role: "user", content: PROMPT }] },
      options: { deltas: "each" },
    });
    const follow = async () => {
      for (let batch = await run.nextBatch(); batch !== null; batch = await run.nextBatch()) {
        for (const { type } of batch) if (type === "text") onDelta();
      }
      await run.result().catch(onlyIf((error) => error.code === "CANCELLED"));
    };
    return { cancel: () => run.cancel(), over: follow() };
  };
}

export async function aiAnthropic() {
  const [{ createAnthropic }, { streamText }] = await Promise.all([
    import("@ai-sdk/anthropic"),
    import("ai"),
  ]);
  return (base, onDelta) => {
    const controller = new AbortController();
    const { textStream } = streamText({
      model: createAnthropic({ baseURL: base, apiKey: "bench" })(MODEL),
      messages: [{ role: "user", content: PROMPT }],
      abortSignal: controller.signal,
      onError: ({ error }) => onlyIf((error) => error.name === "AbortError")(error),
    });
    const follow = async () => {
      for await (const _ of textStream) onDelta();
    };
    return { cancel: () => controller.abort(), over: follow() };
  };
}

/** Passes on what is not the end that was asked for. */
function onlyIf(expected) {
  return (error) => {
    if (!expected(error)) throw error;
  };
}
