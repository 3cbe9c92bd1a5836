// Ordered index keys: byte strings whose memcmp order is the order of Convex values
// (undefined < null < int64 < float64 < boolean < string < bytes < array < object), so that SQLite's
// blob order is the index order. Pure. The encoding is prefix-free per value: no encoded value is
// the beginning of another, so a bound made of a prefix never swallows a neighbour.
import type { JSONValue, Value } from "convex/values";
import { jsonToConvex } from "convex/values";

export type KeyPart = Value | undefined;

const TAG = {
  undefined: 0x01,
  null: 0x02,
  int64: 0x03,
  float64: 0x04,
  false: 0x05,
  true: 0x06,
  string: 0x07,
  bytes: 0x08,
  array: 0x09,
  object: 0x0a,
} as const;

/** Ends arrays and objects: below every tag. */
const END = 0x00;
/** Inside strings and bytes: 0x00 is written 00 FF, the end is written 00 01. */
const ESCAPED_ZERO = Buffer.from([0x00, 0xff]);
const END_OF_BYTES = Buffer.from([0x00, 0x01]);

/** Above every key: no tag is as large. */
const TOP = Buffer.from([0xff]);

export function encodeKey(parts: readonly KeyPart[]): Buffer {
  const out: Buffer[] = [];
  for (const part of parts) write(out, part);
  return Buffer.concat(out);
}

function write(out: Buffer[], value: KeyPart): void {
  if (value === undefined) out.push(tag(TAG.undefined));
  else if (value === null) out.push(tag(TAG.null));
  else if (typeof value === "bigint") out.push(tag(TAG.int64), int64(value));
  else if (typeof value === "number") out.push(tag(TAG.float64), float64(value));
  else if (typeof value === "boolean") out.push(tag(value ? TAG.true : TAG.false));
  else if (typeof value === "string") writeBytes(out, TAG.string, Buffer.from(value, "utf8"));
  else if (value instanceof ArrayBuffer) writeBytes(out, TAG.bytes, Buffer.from(value));
  else if (Array.isArray(value)) {
    out.push(tag(TAG.array));
    for (const item of value) write(out, item);
    out.push(tag(END));
  } else {
    out.push(tag(TAG.object));
    const fields = value as Record<string, KeyPart>;
    for (const name of Object.keys(fields).sort()) {
      if (fields[name] === undefined) continue;
      writeBytes(out, TAG.string, Buffer.from(name, "utf8"));
      write(out, fields[name]);
    }
    out.push(tag(END));
  }
}

const tags = Array.from({ length: 16 }, (_, i) => Buffer.from([i]));

function tag(n: number): Buffer {
  return tags[n] as Buffer;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value) ^ (1n << 63n));
  return bytes;
}

/** The IEEE total order: negative numbers with all bits flipped, others with the sign bit set. */
function float64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  if ((bytes[0] as number) & 0x80) {
    for (let i = 0; i < 8; i++) bytes[i] = ~(bytes[i] as number) & 0xff;
  } else {
    bytes[0] = (bytes[0] as number) | 0x80;
  }
  return bytes;
}

function writeBytes(out: Buffer[], kind: number, bytes: Buffer): void {
  out.push(tag(kind));
  let from = 0;
  for (let zero = bytes.indexOf(0); zero !== -1; zero = bytes.indexOf(0, from)) {
    out.push(bytes.subarray(from, zero), ESCAPED_ZERO);
    from = zero + 1;
  }
  out.push(bytes.subarray(from), END_OF_BYTES);
}

/** The smallest byte string above every string that begins with `prefix`. */
export function afterPrefix(prefix: Buffer): Buffer {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  if (end === 0) return TOP;
  const bytes = Buffer.from(prefix.subarray(0, end));
  bytes[end - 1] = (bytes[end - 1] as number) + 1;
  return bytes;
}

/** The smallest byte string above `key` itself. */
export function afterKey(key: Buffer): Buffer {
  return Buffer.concat([key, tag(END)]);
}

/** Half-open: from `lo` up to, but without, `hi`. */
export interface KeyRange {
  lo: Buffer;
  hi: Buffer;
}

export function inRange(key: Buffer, range: KeyRange): boolean {
  return range.lo.compare(key) <= 0 && key.compare(range.hi) < 0;
}

export interface RangeExpression {
  type: "Eq" | "Gt" | "Gte" | "Lt" | "Lte";
  fieldPath: string;
  value: JSONValue;
}

/**
 * The keys that `withIndex(name, q => …)` selects. `fields` are the index's fields in order. As in
 * production: equality on a prefix of the fields, then bounds on the next field.
 */
export function rangeOf(
  indexName: string,
  fields: readonly string[],
  expressions: readonly RangeExpression[],
): KeyRange {
  let prefix: Buffer = Buffer.alloc(0);
  let depth = 0;
  let i = 0;
  for (; expressions[i]?.type === "Eq"; i++, depth++) {
    const expression = expressions[i] as RangeExpression;
    requireField(indexName, fields, depth, expression.fieldPath);
    prefix = Buffer.concat([prefix, encodeKey([decodePart(expression.value)])]);
  }
  let lo = prefix;
  let hi = prefix.length === 0 ? TOP : afterPrefix(prefix);
  const seen = { lower: false, upper: false };
  for (; i < expressions.length; i++) {
    const { type, fieldPath, value } = expressions[i] as RangeExpression;
    requireField(indexName, fields, depth, fieldPath);
    const side = type === "Gt" || type === "Gte" ? "lower" : "upper";
    if (type === "Eq" || seen[side]) {
      throw new Error(
        `Invalid index range on ${indexName}: equality on a prefix of ${JSON.stringify(fields)} ` +
          "comes first, then at most one lower and one upper bound on the next field.",
      );
    }
    seen[side] = true;
    const bound = Buffer.concat([prefix, encodeKey([decodePart(value)])]);
    if (type === "Gt") lo = afterPrefix(bound);
    else if (type === "Gte") lo = bound;
    else if (type === "Lt") hi = bound;
    else hi = afterPrefix(bound);
  }
  return { lo, hi };
}

function requireField(
  indexName: string,
  fields: readonly string[],
  depth: number,
  found: string,
): void {
  if (fields[depth] === found) return;
  throw new Error(
    `Tried to query index ${indexName} but the query didn't use the index fields in order.\n` +
      `Index fields: ${JSON.stringify(fields)}\nFirst incorrect field: ${found}`,
  );
}

/** `{"$undefined": null}` stands for a missing field in filters and ranges. */
export function decodePart(json: JSONValue): KeyPart {
  if (json !== null && typeof json === "object" && "$undefined" in json) return undefined;
  return jsonToConvex(json);
}

/** The value at a dotted field path; undefined when something on the way is missing. */
export function fieldAt(document: Record<string, Value | undefined>, path: string): KeyPart {
  let value: KeyPart = document;
  for (const name of path.split(".")) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
    if (value instanceof ArrayBuffer) return undefined;
    value = (value as Record<string, KeyPart>)[name];
  }
  return value;
}
