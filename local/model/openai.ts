// The OpenAI wire format: turns what a script or persona says into the chunks of a streamed chat
// completion, or into the one object of an unstreamed one. Knows no time, no sockets, no faults.

import { randomUUID } from "node:crypto";
import type { ChatRequest } from "./request.ts";
import { textOf } from "./request.ts";
import type { ToolCallScript, TurnScript } from "./script.ts";

/** One piece of an answer. `text` is what a reader of the stream adds to the message. */
export interface Delta {
  delta: Record<string, unknown>;
  text: string;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

const DEFAULT_CHUNK_CHARS = 4;
const DEFAULT_ARGUMENT_CHARS = 16;
/** The usual rule of thumb; a stand-in has no tokenizer. */
const CHARS_PER_TOKEN = 4;

export function newCompletionId(): string {
  return `chatcmpl-${randomUUID().replaceAll("-", "").slice(0, 24)}`;
}

/** Cuts at code points, so that every delta is valid text of its own. */
export function cut(text: string, chars: number): string[] {
  const points = Array.from(text);
  const pieces: string[] = [];
  for (let i = 0; i < points.length; i += chars) pieces.push(points.slice(i, i + chars).join(""));
  return pieces;
}

export function argumentsOf(call: ToolCallScript): string {
  return call.argsRaw ?? JSON.stringify(call.args ?? {});
}

/** Gives every call of a turn its id, once: the streamed and the logged id are the same. */
export function withIds(turn: TurnScript): TurnScript {
  if (turn.toolCalls === undefined) return turn;
  return {
    ...turn,
    toolCalls: turn.toolCalls.map((call) => ({
      ...call,
      id: call.id ?? `call_${randomUUID().replaceAll("-", "").slice(0, 20)}`,
    })),
  };
}

export function textPieces(turn: TurnScript): string[] {
  return turn.chunks ?? cut(turn.text ?? "", turn.chunkChars ?? DEFAULT_CHUNK_CHARS);
}

/** Everything between the role chunk and the finish chunk, in order. */
export function deltasOf(turn: TurnScript): Delta[] {
  const deltas: Delta[] = [];
  const reasoning =
    typeof turn.reasoning === "string"
      ? cut(turn.reasoning, turn.chunkChars ?? DEFAULT_CHUNK_CHARS)
      : (turn.reasoning ?? []);
  const field = turn.reasoningField ?? "reasoning_content";
  for (const text of reasoning) {
    const value = field === "reasoning_details" ? [{ type: "reasoning.text", text }] : text;
    deltas.push({ delta: { [field]: value }, text: "" });
  }
  for (const text of textPieces(turn)) deltas.push({ delta: { content: text }, text });
  if (turn.refusal !== undefined) {
    for (const text of cut(turn.refusal, turn.chunkChars ?? DEFAULT_CHUNK_CHARS)) {
      deltas.push({ delta: { refusal: text }, text });
    }
  }
  turn.toolCalls?.forEach((call, index) => {
    const args = argumentsOf(call);
    const pieces =
      call.fragments === undefined
        ? cut(args, DEFAULT_ARGUMENT_CHARS)
        : cut(args, Math.max(1, Math.ceil(Array.from(args).length / call.fragments)));
    deltas.push({
      delta: {
        tool_calls: [
          { index, id: call.id, type: "function", function: { name: call.name, arguments: "" } },
        ],
      },
      text: "",
    });
    for (const piece of pieces) {
      deltas.push({ delta: { tool_calls: [{ index, function: { arguments: piece } }] }, text: "" });
    }
  });
  return deltas;
}

export function finishOf(turn: TurnScript): string | null {
  if (turn.finish !== undefined) return turn.finish;
  return (turn.toolCalls?.length ?? 0) > 0 ? "tool_calls" : "stop";
}

export function usageOf(turn: TurnScript, request: ChatRequest): Usage | null {
  if (turn.usage === null) return null;
  if (turn.usage !== undefined) {
    const { prompt_tokens, completion_tokens } = turn.usage;
    return {
      prompt_tokens,
      completion_tokens,
      total_tokens: turn.usage.total_tokens ?? prompt_tokens + completion_tokens,
    };
  }
  const asked = request.messages.reduce((sum, m) => sum + textOf(m.content).length, 0);
  const said =
    textPieces(turn).join("").length +
    (turn.toolCalls ?? []).reduce((sum, call) => sum + argumentsOf(call).length, 0);
  const prompt_tokens = Math.ceil(asked / CHARS_PER_TOKEN);
  const completion_tokens = Math.ceil(said / CHARS_PER_TOKEN);
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}

export function chunk(
  id: string,
  model: string,
  delta: Record<string, unknown>,
  finish: string | null,
): Record<string, unknown> {
  return {
    id,
    object: "chat.completion.chunk",
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [{ index: 0, delta, finish_reason: finish }],
  };
}

export function usageChunk(id: string, model: string, usage: Usage): Record<string, unknown> {
  return {
    id,
    object: "chat.completion.chunk",
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [],
    usage,
  };
}

export function completion(
  id: string,
  model: string,
  turn: TurnScript,
  request: ChatRequest,
): Record<string, unknown> {
  const content = textPieces(turn).join("");
  const message: Record<string, unknown> = { role: "assistant", content: content || null };
  if ((turn.toolCalls?.length ?? 0) > 0) {
    message.tool_calls = turn.toolCalls?.map((call) => ({
      id: call.id,
      type: "function",
      function: { name: call.name, arguments: argumentsOf(call) },
    }));
  }
  if (turn.reasoning !== undefined) {
    const reasoning = Array.isArray(turn.reasoning) ? turn.reasoning.join("") : turn.reasoning;
    message[turn.reasoningField ?? "reasoning_content"] = reasoning;
  }
  return {
    id,
    object: "chat.completion",
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [{ index: 0, message, finish_reason: finishOf(turn) }],
    ...(turn.usage === null ? {} : { usage: usageOf(turn, request) }),
  };
}
