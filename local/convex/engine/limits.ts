// The limits that production puts on values, documents and transactions
// (docs.convex.dev/production/state/limits; crates/value and crates/common of
// get-convex/convex-backend). Nothing is stored that production would refuse.
import { getConvexSize, type Value } from "convex/values";

export const MAX_DOCUMENT_BYTES = 1024 * 1024;
export const MAX_DOCUMENT_NESTING = 16;
export const MAX_VALUE_NESTING = 64;
export const MAX_ARRAY_LENGTH = 8192;
export const MAX_OBJECT_FIELDS = 1024;
export const MAX_FIELD_NAME_LENGTH = 1024;
export const MAX_ARGUMENT_BYTES = 16 * 1024 * 1024;
export const MAX_RETURN_BYTES = 16 * 1024 * 1024;
export const MAX_READ_BYTES = 16 * 1024 * 1024;
export const MAX_READ_DOCUMENTS = 32_000;
export const MAX_READ_RANGES = 4096;
export const MAX_WRITTEN_BYTES = 16 * 1024 * 1024;
export const MAX_WRITTEN_DOCUMENTS = 16_000;
export const MAX_SCHEDULED_FUNCTIONS = 1000;
export const MAX_LOG_LINES = 256;
export const MAX_LOG_LINE_LENGTH = 4 * 1024;

/** Throws the first limit that a value breaks. */
export function checkValue(value: Value | undefined, maxNesting = MAX_VALUE_NESTING): void {
  const deepest = walk(value, 0);
  if (deepest > maxNesting) {
    throw new Error(
      `Value is too nested (nested ${deepest} levels deep > maximum nesting ${maxNesting})`,
    );
  }
}

/** Objects and arrays each are one level; returns the deepest. */
function walk(value: Value | undefined, level: number): number {
  if (typeof value === "string") {
    if (/\p{Surrogate}/u.test(value)) throw new Error("String holds a lone UTF-16 surrogate");
    return level;
  }
  if (value === null || typeof value !== "object" || value instanceof ArrayBuffer) return level;
  let deepest = level + 1;
  if (Array.isArray(value)) {
    if (value.length > MAX_ARRAY_LENGTH) {
      throw new Error(
        `Array length is too long (${value.length} > maximum length ${MAX_ARRAY_LENGTH})`,
      );
    }
    for (const item of value) deepest = Math.max(deepest, walk(item, level + 1));
    return deepest;
  }
  const fields = Object.entries(value as Record<string, Value | undefined>);
  if (fields.length > MAX_OBJECT_FIELDS) {
    throw new Error(
      `Object has too many fields (${fields.length} > maximum number ${MAX_OBJECT_FIELDS})`,
    );
  }
  for (const [name, item] of fields) {
    checkFieldName(name);
    deepest = Math.max(deepest, walk(item, level + 1));
  }
  return deepest;
}

function checkFieldName(name: string): void {
  if (name.length > MAX_FIELD_NAME_LENGTH) {
    throw new Error(
      `Field name is too long (${name.length} > maximum length ${MAX_FIELD_NAME_LENGTH})`,
    );
  }
  if (name.startsWith("$")) {
    throw new Error(`Field name '${name}' starts with a '$', which is reserved.`);
  }
  if (!/^[\x20-\x7e]*$/.test(name)) {
    throw new Error(
      `Field name '${name}' has invalid characters: only printable ASCII is allowed.`,
    );
  }
}

/** A whole document, system fields included. */
export function checkDocument(document: Record<string, Value | undefined>): number {
  for (const name of Object.keys(document)) {
    if (name.startsWith("_") && name !== "_id" && name !== "_creationTime") {
      throw new Error(
        `Field '${name}' starts with an underscore, which is only allowed for system fields like '_id'`,
      );
    }
  }
  checkValue(document as Value, MAX_DOCUMENT_NESTING);
  const bytes = getConvexSize(document as Value);
  if (bytes > MAX_DOCUMENT_BYTES) {
    throw new Error(
      `Value is too large (${mebibytes(bytes)} > maximum size ${mebibytes(MAX_DOCUMENT_BYTES)})`,
    );
  }
  return bytes;
}

export function checkSize(what: string, json: string, limit: number): void {
  const bytes = Buffer.byteLength(json);
  if (bytes > limit) {
    throw new Error(
      `${what} is too large (actual: ${mebibytes(bytes)}, limit: ${mebibytes(limit)})`,
    );
  }
}

function mebibytes(bytes: number): string {
  return `${Number((bytes / (1024 * 1024)).toFixed(2))} MiB`;
}
