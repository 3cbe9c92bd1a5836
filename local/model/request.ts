// What the model is asked: the OpenAI chat request, reduced to what scripts and personas look at.
// Lenient on purpose: a stand-in answers whatever a real provider would accept.

/** A message of the request, in the OpenAI chat format. */
export interface ChatMessage {
  role: string;
  content?: unknown;
  tool_calls?: { id: string; type?: string; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

export interface ChatRequest {
  model?: string;
  messages: ChatMessage[];
  stream?: boolean;
  tools?: { type?: string; function?: { name?: string } }[];
  tool_choice?: unknown;
  [key: string]: unknown;
}

/** One tool call of the running answer with what came back; no result yet: undefined. */
export interface PastCall {
  id: string;
  name: string;
  args: Record<string, unknown>;
  result: string | undefined;
}

/** The conversation as a persona sees it. */
export interface ConversationView {
  system: string;
  /** The last thing the user said. */
  userText: string;
  /** What user and assistant said before that, oldest first. */
  earlier: { role: "user" | "assistant"; text: string }[];
  /** Assistant messages since the user's last message, oldest first. */
  turns: { text: string; calls: PastCall[] }[];
  /** Names of the tools on offer. */
  tools: ReadonlySet<string>;
  /** The tool that this turn must call. */
  forcedTool: string | undefined;
  /** Output tokens that this turn may take, if the request says so. */
  maxTokens: number | undefined;
}

/** Text of a message, whichever of the two content shapes it has. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part: unknown) => {
      const text = (part as { text?: unknown } | null)?.text;
      return typeof text === "string" ? text : "";
    })
    .join("");
}

export function isChatRequest(value: unknown): value is ChatRequest {
  const messages = (value as { messages?: unknown } | null)?.messages;
  return Array.isArray(messages) && messages.every((m) => typeof m?.role === "string");
}

export function viewOf(request: ChatRequest): ConversationView {
  const { messages } = request;
  const lastUser = messages.findLastIndex((message) => message.role === "user");
  const results = new Map<string, string[]>();
  for (const message of messages.slice(lastUser + 1)) {
    if (message.role !== "tool" || message.tool_call_id === undefined) continue;
    const list = results.get(message.tool_call_id) ?? [];
    list.push(textOf(message.content));
    results.set(message.tool_call_id, list);
  }
  const turns = messages
    .slice(lastUser + 1)
    .filter((message) => message.role === "assistant")
    .map((message) => ({
      text: textOf(message.content),
      calls: (message.tool_calls ?? []).map((call) => ({
        id: call.id,
        name: call.function.name,
        args: parseArgs(call.function.arguments),
        // The same id may stand in two turns; results come in the order of the calls.
        result: results.get(call.id)?.shift(),
      })),
    }));
  return {
    system: messages
      .filter((message) => message.role === "system" || message.role === "developer")
      .map((message) => textOf(message.content))
      .join("\n"),
    userText: lastUser < 0 ? "" : textOf(messages[lastUser]?.content),
    earlier: messages
      .slice(0, Math.max(lastUser, 0))
      .filter((message) => message.role === "user" || message.role === "assistant")
      .map((message) => ({
        role: message.role === "user" ? ("user" as const) : ("assistant" as const),
        text: textOf(message.content),
      })),
    turns,
    tools: new Set(
      (request.tools ?? []).map((tool) => tool.function?.name ?? "").filter((name) => name !== ""),
    ),
    forcedTool: forcedToolOf(request.tool_choice),
    maxTokens: limitOf(request.max_completion_tokens) ?? limitOf(request.max_tokens),
  };
}

function forcedToolOf(choice: unknown): string | undefined {
  const name = (choice as { function?: { name?: unknown } } | null | undefined)?.function?.name;
  return typeof name === "string" ? name : undefined;
}

function limitOf(value: unknown): number | undefined {
  return typeof value === "number" && value > 0 ? value : undefined;
}

function parseArgs(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
