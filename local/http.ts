// What the stand-ins that speak plain HTTP share: a bounded request body, an answer as JSON.

import type { IncomingMessage, ServerResponse } from "node:http";

const MIB = 1024 * 1024;

/** The whole body. `what` names it in the error of one that is larger than `maxBytes` (whole MiB). */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
  what: string,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    parts.push(part as Buffer);
    size += (part as Buffer).length;
    if (size > maxBytes) throw new Error(`the ${what} is larger than ${maxBytes / MIB} MiB`);
  }
  return Buffer.concat(parts);
}

export function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}
