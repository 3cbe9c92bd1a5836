// The agent loop over chat completions, by hand: for the clients that bring none.

import {
  MAX_STEPS,
  MAX_TOKENS,
  MODEL,
  PROMPT,
  TEMPERATURE,
  TOOL,
  usesTools,
  writeFile,
} from "./scenario.mjs";

const TOOLS = [
  {
    type: "function",
    function: {
      name: TOOL.name,
      description: TOOL.description,
      parameters: {
        type: "object",
        properties: { path: { type: "string" }, content: { type: "string" } },
        required: ["path", "content"],
        additionalProperties: false,
      },
    },
  },
];

/**
 * @param {string} scenario
 * @param {(() => void) | undefined} onDelta
 * @param {(body: object, onChunk: (chunk: object) => void) => Promise<void>} ask
 */
export async function chatLoop(scenario, onDelta, ask) {
  const files = new Map();
  const write = writeFile(files);
  const messages = [{ role: "user", content: PROMPT }];
  let text = "";
  for (let step = 0; step < MAX_STEPS; step++) {
    const calls = [];
    let said = "";
    let finish = null;
    const body = {
      model: MODEL,
      messages,
      temperature: TEMPERATURE,
      max_tokens: MAX_TOKENS,
      stream: true,
      stream_options: { include_usage: true },
      ...(usesTools(scenario) ? { tools: TOOLS } : {}),
    };
    await ask(body, (chunk) => {
      const choice = chunk.choices?.[0];
      if (choice === undefined) return;
      finish = choice.finish_reason ?? finish;
      const { content, tool_calls: fragments } = choice.delta;
      if (content) {
        onDelta?.();
        said += content;
      }
      for (const fragment of fragments ?? []) {
        calls[fragment.index] ??= { id: "", name: "", args: "" };
        const call = calls[fragment.index];
        call.id = fragment.id ?? call.id;
        call.name = fragment.function?.name ?? call.name;
        call.args += fragment.function?.arguments ?? "";
      }
    });
    if (finish === null) throw new Error("the stream ended without a finish reason");
    text += said;
    if (calls.length === 0) break;
    messages.push({
      role: "assistant",
      content: said || null,
      tool_calls: calls.map(({ id, name, args }) => ({
        id,
        type: "function",
        function: { name, arguments: args },
      })),
    });
    for (const { id, args } of calls) {
      messages.push({ role: "tool", tool_call_id: id, content: write(JSON.parse(args)) });
    }
  }
  return { text, files };
}
