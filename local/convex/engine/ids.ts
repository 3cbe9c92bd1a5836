// Document ids in the shape of production: base32 of a variable-length table number, 16 random bytes
// and a two-byte checksum (crates/value/src/id_v6.rs of get-convex/convex-backend describes it).
// A string that was not made this way is refused before anything is looked up.
import { randomBytes } from "node:crypto";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const DIGIT = new Map([...ALPHABET].map((char, value) => [char, value]));
const RANDOM_BYTES = 16;
const CHECKSUM_BYTES = 2;
/** One to five bytes of table number, in base32. */
const MIN_LENGTH = 31;
const MAX_LENGTH = 37;

export function newId(tableNumber: number): string {
  return encodeId(tableNumber, randomBytes(RANDOM_BYTES));
}

export function encodeId(tableNumber: number, internal: Uint8Array): string {
  const body = Buffer.concat([variableLength(tableNumber), internal]);
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt16LE(fletcher16(body));
  return toBase32(Buffer.concat([body, checksum]));
}

/** The table number of a well-formed id, otherwise null. */
export function tableNumberOf(id: string): number | null {
  if (id.length < MIN_LENGTH || id.length > MAX_LENGTH) return null;
  const bytes = fromBase32(id);
  if (bytes === null) return null;
  let tableNumber = 0;
  let length = 0;
  for (let byte = 0x80; byte & 0x80; length++) {
    if (length === 5 || length >= bytes.length) return null;
    byte = bytes[length] as number;
    tableNumber += (byte & 0x7f) * 2 ** (7 * length);
  }
  const body = length + RANDOM_BYTES;
  if (tableNumber === 0 || bytes.length !== body + CHECKSUM_BYTES) return null;
  return bytes.readUInt16LE(body) === fletcher16(bytes.subarray(0, body)) ? tableNumber : null;
}

function variableLength(n: number): Buffer {
  const bytes: number[] = [];
  let rest = n;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Fletcher's checksum with modulus 256. */
function fletcher16(bytes: Uint8Array): number {
  let low = 0;
  let high = 0;
  for (const byte of bytes) {
    low = (low + byte) & 0xff;
    high = (high + low) & 0xff;
  }
  return (high << 8) | low;
}

function toBase32(bytes: Buffer): string {
  let text = "";
  let bits = 0;
  let buffer = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(buffer >> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  if (bits > 0) text += ALPHABET[(buffer << (5 - bits)) & 31];
  return text;
}

function fromBase32(text: string): Buffer | null {
  const bytes = Buffer.alloc(Math.floor((text.length * 5) / 8));
  let at = 0;
  let bits = 0;
  let buffer = 0;
  for (const char of text) {
    const digit = DIGIT.get(char);
    if (digit === undefined) return null;
    buffer = (buffer << 5) | digit;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (buffer >> bits) & 0xff;
    }
    buffer &= (1 << bits) - 1;
  }
  return bytes;
}
