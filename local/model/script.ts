// The language in which a test directs the scripted model: a script matches conversations by their
// last user message and says, turn by turn, what is streamed, how fast and how it goes wrong.
// Scripts come in through the admin API and are checked here; nothing here knows HTTP or a protocol.

import { z } from "zod";

const count = z.number().int().nonnegative();
const milliseconds = z.number().nonnegative();

const ToolCallScript = z.strictObject({
  id: z.string().optional(),
  name: z.string(),
  /** Sent as JSON. */
  args: z.unknown().optional(),
  /** Sent exactly as it is: also what is no JSON. Wins over `args`. */
  argsRaw: z.string().optional(),
  /** Into how many pieces the arguments are cut. Default: one per 16 characters. */
  fragments: z.number().int().positive().optional(),
});

const FailScript = z.strictObject({
  /** Refuse with this HTTP status instead of streaming. */
  status: z.number().int().min(200).max(599).optional(),
  body: z.unknown().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  /** End the body cleanly after so many deltas: no finish reason, no [DONE]. */
  cutAfterDeltas: count.optional(),
  /** Reset the connection (RST) after so many deltas. */
  resetAfterDeltas: count.optional(),
  /** An in-band error chunk after so many deltas, then the end. */
  errorChunkAfterDeltas: count.optional(),
  error: z.unknown().optional(),
  /** Send nothing more (comments still flow if asked for) until the client goes away. */
  stallAfterDeltas: count.optional(),
  /** One event that is no JSON after so many deltas; the stream goes on behind it. */
  garbageAfterDeltas: count.optional(),
});

const FramingScript = z.strictObject({
  crlf: z.boolean().optional(),
  cr: z.boolean().optional(),
  bom: z.boolean().optional(),
  /** `: OPENROUTER PROCESSING` before the first and between the other events. */
  comments: z.boolean().optional(),
  /** A comment each so many milliseconds, also while the stream stalls. */
  commentEveryMs: z.number().positive().optional(),
  /** Every byte is its own write. */
  oneByteWrites: z.boolean().optional(),
  /** Writes end inside a UTF-8 character wherever there is one. */
  splitUtf8: z.boolean().optional(),
  noSpaceAfterColon: z.boolean().optional(),
  /** `data:  [DONE] `, as some gateways write it. */
  paddedDone: z.boolean().optional(),
  noDone: z.boolean().optional(),
  /** The last event is not followed by a blank line. */
  noFinalBlankLine: z.boolean().optional(),
});

const UsageScript = z.strictObject({
  prompt_tokens: count,
  completion_tokens: count,
  total_tokens: count.optional(),
});

export const TurnScript = z.strictObject({
  text: z.string().optional(),
  /** The text as exactly these deltas. Wins over `text`. */
  chunks: z.array(z.string()).optional(),
  reasoning: z.union([z.string(), z.array(z.string())]).optional(),
  /** The field that carries reasoning; providers differ. */
  reasoningField: z.enum(["reasoning_content", "reasoning", "reasoning_details"]).optional(),
  refusal: z.string().optional(),
  toolCalls: z.array(ToolCallScript).optional(),
  /** Time from one delta to the next; 0 streams flat out. */
  deltaMs: milliseconds.optional(),
  deltasPerSecond: z.number().positive().optional(),
  /** How `text` is cut: so many characters (code points) per delta. Default 4. */
  chunkChars: z.number().int().positive().optional(),
  /** Before the response headers. */
  delayMs: milliseconds.optional(),
  /** Between the headers and the first event. */
  firstByteMs: milliseconds.optional(),
  /** Default: tool_calls with tool calls, else stop. null: the stream names no reason. */
  finish: z.union([z.string(), z.null()]).optional(),
  /** Whether [DONE] closes the stream. Default true. */
  done: z.boolean().optional(),
  fail: FailScript.optional(),
  framing: FramingScript.optional(),
  /** null: none is sent. Absent: counted from the texts. */
  usage: UsageScript.nullable().optional(),
  /** This body, byte for byte, instead of all the above (a recorded stream). */
  raw: z.string().optional(),
  rawBase64: z.string().optional(),
  /** How many requests get this turn before the next one is due. Default 1. */
  repeat: z.number().int().positive().optional(),
});

export const Script = z.strictObject({
  /** For the log; chosen when absent. */
  id: z.string().optional(),
  match: z
    .strictObject({ contains: z.string().optional(), any: z.literal(true).optional() })
    .default({ any: true }),
  /**
   * `request` (default): the k-th request with the matching text gets turn k, so a retried request
   * gets the next turn. `position`: the turn follows from the assistant messages already there, so a
   * restarted run begins at turn 1 again.
   */
  by: z.enum(["request", "position"]).default("request"),
  /** Begin again after the last turn. */
  loop: z.boolean().default(false),
  turns: z.array(TurnScript).min(1),
});

export type TurnScript = z.infer<typeof TurnScript>;
export type ToolCallScript = z.infer<typeof ToolCallScript>;
export type FramingScript = z.infer<typeof FramingScript>;
export type FailScript = z.infer<typeof FailScript>;
export type Script = z.infer<typeof Script>;
export type ScriptInput = z.input<typeof Script>;

export interface ChosenTurn {
  scriptId: string;
  /** Which turn of the script, from 1. */
  number: number;
  turn: TurnScript;
}

/** A script matched, but every one of its turns has been given. */
export class ScriptExhausted extends Error {
  constructor(scriptId: string, asked: number, has: number) {
    super(`script ${scriptId} has ${has} turn(s), and turn ${asked} was asked for`);
  }
}

/** The scripts in force. The newest that matches wins. */
export class ScriptBook {
  readonly #scripts: { id: string; script: Script; given: Map<string, number> }[] = [];
  #next = 1;

  add(script: Script): string {
    const id = script.id ?? `script-${this.#next++}`;
    this.#scripts.push({ id, script, given: new Map() });
    return id;
  }

  clear(): void {
    this.#scripts.length = 0;
  }

  /**
   * @param userText the last user message: scripts match on it and count by it
   * @param position assistant messages behind that user message
   */
  choose(userText: string, position: number): ChosenTurn | undefined {
    for (const entry of this.#scripts.toReversed()) {
      const { match, by, loop, turns } = entry.script;
      if (match.contains !== undefined && !userText.includes(match.contains)) continue;
      if (match.contains === undefined && match.any !== true) continue;
      const given = entry.given.get(userText) ?? 0;
      entry.given.set(userText, given + 1);
      const unrolled = turns.flatMap((turn, index) =>
        Array.from({ length: turn.repeat ?? 1 }, () => ({ turn, number: index + 1 })),
      );
      const asked = by === "position" ? position : given;
      const found = unrolled[loop ? asked % unrolled.length : asked];
      if (found === undefined) throw new ScriptExhausted(entry.id, asked + 1, unrolled.length);
      return { scriptId: entry.id, ...found };
    }
    return undefined;
  }
}
