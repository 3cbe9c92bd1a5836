// The scripted persona: answers what no test script covers. Each intent stands in its own file under
// personas/; the first that applies replies. A persona has no memory of its own: what it knows, it
// reads from the conversation (what it called, what the tools returned), so a retry starts clean.

import { personas } from "./personas/index.ts";
import { knowledgeOf } from "./personas/knowledge.ts";
import type { ConversationView } from "./request.ts";
import type { TurnScript } from "./script.ts";

/** Time to the first token at a human pace; none when streaming flat out. */
const THINKING_MS = 250;
/** Arguments stream faster than prose reads: file contents are long. */
const ARGUMENT_CHARS_PER_DELTA = 28;

/** @param pace tokens per second; 0 streams flat out */
export function answer(
  view: ConversationView,
  pace: number,
): { persona: string; turn: TurnScript } {
  const knowledge = knowledgeOf(view);
  const persona = personas.find((candidate) => candidate.applies(view));
  if (persona === undefined) throw new Error("no persona applies, not even the last");
  const { say = "", calls = [] } = persona.reply(view, knowledge);
  // A persona asks only for tools on offer; a call that slipped through would loop for ever.
  const offered = calls.filter((call) => view.tools.has(call.name));
  const turn: TurnScript = {
    chunks: tokens(say),
    ...(offered.length === 0
      ? {}
      : {
          toolCalls: offered.map(({ name, args }) => ({
            name,
            args,
            fragments: Math.max(
              1,
              Math.ceil(JSON.stringify(args).length / ARGUMENT_CHARS_PER_DELTA),
            ),
          })),
        }),
    ...(pace > 0 ? { deltaMs: 1000 / pace, firstByteMs: THINKING_MS } : {}),
  };
  return { persona: persona.name, turn };
}

/** Cuts prose the way a tokenizer does, roughly: short words whole, long ones in pieces. */
export function tokens(text: string): string[] {
  return text.match(/\s*[^\s]{1,6}|\s+/gu) ?? [];
}
