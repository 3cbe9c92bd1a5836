// The JSON body of a request: bounded before it is read, checked before it is used. What is wrong with
// it is said in words.

import { z } from "zod";
import { Refusal } from "./refusal.ts";

/** What a message or a description may have, escaped as JSON, and room for the rest. */
const MAX_BODY_BYTES = 1024 * 1024;

export async function bodyOf<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const text = await textOf(request);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, "The body is not JSON.");
  }
  return checked(schema, value);
}

export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Refusal(400, wordsOf(parsed.error));
}

async function textOf(request: Request): Promise<string> {
  const tooLarge = new Refusal(400, `The body is larger than ${MAX_BODY_BYTES} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge;
  if (request.body === null) throw new Refusal(400, "There is no body.");
  const parts: Uint8Array[] = [];
  let bytes = 0;
  // The stated length may be missing or wrong.
  for await (const part of request.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > MAX_BODY_BYTES) throw tooLarge;
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function wordsOf(error: z.ZodError): string {
  const [first] = error.issues;
  if (first === undefined) return "The body is not as expected.";
  const place = first.path.join(".");
  return place === "" ? first.message : `${place}: ${first.message}`;
}

/** Text of at most so many bytes: what Convex can keep in one document. */
export function boundedText(maxBytes: number, what: string) {
  return z.string().refine((text) => Buffer.byteLength(text) <= maxBytes, {
    error: `${what} has at most ${maxBytes} bytes`,
  });
}
