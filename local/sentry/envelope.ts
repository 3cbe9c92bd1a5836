// Parses Sentry envelopes: one JSON header line, then items of a JSON header line and a payload that
// is either `length` bytes long or one line. https://develop.sentry.dev/sdk/data-model/envelopes/

export interface EnvelopeItem {
  type: string;
  headers: Record<string, unknown>;
  /** Parsed when it is JSON, else the text. */
  payload: unknown;
}

export interface Envelope {
  headers: Record<string, unknown>;
  items: EnvelopeItem[];
}

const NEWLINE = 0x0a;

export function parseEnvelope(bytes: Buffer): Envelope {
  let at = 0;
  const line = (): Buffer => {
    const end = bytes.indexOf(NEWLINE, at);
    const found = bytes.subarray(at, end < 0 ? bytes.length : end);
    at = end < 0 ? bytes.length : end + 1;
    return found;
  };
  const headers = parseObject(line(), "the envelope header");
  const items: EnvelopeItem[] = [];
  while (at < bytes.length) {
    const head = line();
    if (head.length === 0) continue;
    const itemHeaders = parseObject(head, "an item header");
    const { type, length } = itemHeaders;
    if (typeof type !== "string") throw new Error("an item header has no type");
    let payload: Buffer;
    if (typeof length === "number") {
      if (at + length > bytes.length) throw new Error(`the ${type} item is cut short`);
      payload = bytes.subarray(at, at + length);
      at += length;
      if (bytes[at] === NEWLINE) at++;
    } else {
      payload = line();
    }
    items.push({ type, headers: itemHeaders, payload: parsed(payload) });
  }
  return { headers, items };
}

function parseObject(bytes: Buffer, what: string): Record<string, unknown> {
  const value = parsed(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${what} is no JSON object`);
  }
  return value as Record<string, unknown>;
}

function parsed(bytes: Buffer): unknown {
  const text = bytes.toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
