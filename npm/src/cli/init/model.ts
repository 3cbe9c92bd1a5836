// Which model an app asks, read off the call that makes it: `anthropic("…")` of the AI SDK, `openai({
// model: "…" })` of an agent kit, `createOpenRouter({ … })("…")`, under whatever name.

import type * as ts from "typescript";
import { property } from "./inngest.ts";
import { type Sources, unwrapped } from "./sources.ts";

/** A model as this package's variables name it. */
export interface Model {
  name: string;
  /** undefined: the core's own default, OpenRouter. */
  baseUrl: string | undefined;
  protocol: "openai-chat" | "anthropic";
  /** The variable that holds the key in this app. */
  keyVariable: string | undefined;
  /** Settings beside the name: `{ temperature, max_tokens }` of an agent kit. */
  settings: { file: string; node: ts.ObjectLiteralExpression } | undefined;
}

interface Provider {
  baseUrl: string;
  protocol?: "anthropic";
  keyVariable: string;
}

/** Endpoints that speak one of the two protocols, from each provider's own documentation. */
const PROVIDERS: Readonly<Record<string, Provider>> = {
  openrouter: { baseUrl: "https://openrouter.ai/api/v1", keyVariable: "OPENROUTER_API_KEY" },
  anthropic: {
    baseUrl: "https://api.anthropic.com/v1",
    protocol: "anthropic",
    keyVariable: "ANTHROPIC_API_KEY",
  },
  openai: { baseUrl: "https://api.openai.com/v1", keyVariable: "OPENAI_API_KEY" },
  cerebras: { baseUrl: "https://api.cerebras.ai/v1", keyVariable: "CEREBRAS_API_KEY" },
  google: {
    baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
    keyVariable: "GOOGLE_GENERATIVE_AI_API_KEY",
  },
  gemini: {
    baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
    keyVariable: "GEMINI_API_KEY",
  },
  groq: { baseUrl: "https://api.groq.com/openai/v1", keyVariable: "GROQ_API_KEY" },
  xai: { baseUrl: "https://api.x.ai/v1", keyVariable: "XAI_API_KEY" },
  grok: { baseUrl: "https://api.x.ai/v1", keyVariable: "XAI_API_KEY" },
  deepseek: { baseUrl: "https://api.deepseek.com/v1", keyVariable: "DEEPSEEK_API_KEY" },
  mistral: { baseUrl: "https://api.mistral.ai/v1", keyVariable: "MISTRAL_API_KEY" },
};

/** https://vercel.com/docs/ai-gateway/openai-compat */
const GATEWAY = {
  baseUrl: "https://ai-gateway.vercel.sh/v1",
  keyVariable: "AI_GATEWAY_API_KEY",
} as const;

/** The core's own, where no variable names another. */
export const DEFAULT_URL = {
  PRIMARY: "https://openrouter.ai/api/v1",
  FALLBACK: "https://api.cerebras.ai/v1",
} as const;

/** The variable that the core reads for the default provider by itself. */
export const DEFAULT_KEY = "OPENROUTER_API_KEY";

export function modelOf(
  sources: Sources,
  file: string,
  expression: ts.Expression,
): Model | undefined {
  const { ts } = sources;
  const { file: at, node: call } = sources.value(file, expression);
  if (ts.isStringLiteralLike(call)) {
    return isOfAiSdk(sources, file, expression)
      ? { name: call.text, ...GATEWAY, protocol: "openai-chat", settings: undefined }
      : undefined;
  }
  if (!ts.isCallExpression(call)) return undefined;
  const [first, second] = call.arguments;
  if (first === undefined) return undefined;
  const settings = unwrapped(ts, first);
  const options = ts.isObjectLiteralExpression(settings) ? settings : undefined;
  const named = options === undefined ? first : property(ts, options, "model");
  const name = sources.text(at, named as ts.Expression | undefined);
  const provider = providerOf(sources, at, call.expression);
  if (name === undefined || provider === undefined) return undefined;
  const given = options ?? (second && ts.isObjectLiteralExpression(second) ? second : undefined);
  const defaults = given && property(ts, given, "defaultParameters");
  const own = given && ownSettings(sources, at, given);
  const node = defaults && ts.isObjectLiteralExpression(defaults) ? defaults : given;
  return {
    name,
    baseUrl: own?.baseUrl ?? provider.baseUrl,
    protocol: provider.protocol ?? "openai-chat",
    keyVariable: own?.keyVariable ?? provider.keyVariable,
    settings: node === undefined ? undefined : { file: at, node },
  };
}

/** Whether it stands in a call of the AI SDK, where a bare name means Vercel's gateway. */
function isOfAiSdk(sources: Sources, file: string, expression: ts.Expression): boolean {
  const { ts } = sources;
  const call = expression.parent?.parent?.parent;
  const callee = call && (ts.isCallExpression(call) || ts.isNewExpression(call)) && call.expression;
  return (
    callee !== undefined &&
    callee !== false &&
    ts.isIdentifier(callee) &&
    sources.imported(file, callee.text)?.specifier === "ai"
  );
}

/** What stands before the arguments: `openrouter`, `openai.chat`, `createX({ … })`. */
function providerOf(sources: Sources, file: string, callee: ts.Expression): Provider | undefined {
  const { ts } = sources;
  let head = unwrapped(ts, callee);
  // `openai.chat("…")`, `openrouter.languageModel("…")`.
  while (ts.isPropertyAccessExpression(head)) head = unwrapped(ts, head.expression);
  const { file: at, node } = sources.value(file, head);
  if (ts.isCallExpression(node)) {
    // `createOpenRouter({ baseURL, apiKey })`: the function's name, and what it is given.
    const base = known(node.expression.getText().replace(/^create/i, ""));
    const [first] = node.arguments;
    const own =
      first && ts.isObjectLiteralExpression(first) ? ownSettings(sources, at, first) : undefined;
    const baseUrl = own?.baseUrl ?? base?.baseUrl;
    if (baseUrl === undefined) return undefined;
    const keyVariable = own?.keyVariable ?? base?.keyVariable ?? "";
    return { baseUrl, keyVariable, ...(base?.protocol ? { protocol: base.protocol } : {}) };
  }
  if (!ts.isIdentifier(node)) return undefined;
  const imported = sources.imported(at, node.text);
  const name = imported === undefined || imported.name === "default" ? node.text : imported.name;
  return known(name);
}

function known(name: string): Provider | undefined {
  const key = name.toLowerCase().replace(/provider$|ai$(?<!openai|xai)/g, "");
  return PROVIDERS[key] ?? (key.startsWith("googlegenerative") ? PROVIDERS.google : undefined);
}

function ownSettings(sources: Sources, file: string, options: ts.ObjectLiteralExpression) {
  const { ts } = sources;
  const url = property(ts, options, "baseURL") ?? property(ts, options, "baseUrl");
  const key = property(ts, options, "apiKey");
  return {
    baseUrl: sources.text(file, url as ts.Expression | undefined)?.replace(/\/+$/, ""),
    keyVariable: /\bprocess\.env\.([A-Z][A-Z0-9_]*)/.exec(key?.getText() ?? "")?.[1],
  };
}
