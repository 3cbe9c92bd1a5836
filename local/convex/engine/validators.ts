// Checks values against the JSON form of validators (`v.…` as functions and schemas export them),
// for arguments, return values and documents alike. Pure; the messages follow production's.
import type { JSONValue, Value } from "convex/values";
import { convexToJson, jsonToConvex } from "convex/values";

export type ObjectFields = Record<string, { fieldType: ValidatorJson; optional: boolean }>;

export type ValidatorJson =
  | { type: "null" | "number" | "bigint" | "boolean" | "string" | "bytes" | "any" | "commitTs" }
  | { type: "literal"; value: JSONValue }
  | { type: "id"; tableName: string }
  | { type: "array"; value: ValidatorJson }
  | { type: "record"; keys: ValidatorJson; values: { fieldType: ValidatorJson; optional: boolean } }
  | { type: "union"; value: ValidatorJson[] }
  | { type: "object"; value: ObjectFields };

/** The table that an id belongs to; null when the id is not well formed or the table unknown. */
export type TableOfId = (id: string) => string | null;

/** Returns what is wrong, or null. */
export function mismatch(
  validator: ValidatorJson,
  value: Value | undefined,
  tableOfId: TableOfId,
  path = "",
): string | null {
  switch (validator.type) {
    case "any":
      return null;
    case "object":
      return objectMismatch(validator.value, value, tableOfId, path, validator);
    case "array": {
      if (!Array.isArray(value)) return noMatch(validator, value, path);
      for (const [i, item] of value.entries()) {
        const problem = mismatch(validator.value, item, tableOfId, `${path}[${i}]`);
        if (problem !== null) return problem;
      }
      return null;
    }
    case "record": {
      if (!isObject(value)) return noMatch(validator, value, path);
      for (const [key, item] of Object.entries(value)) {
        const problem =
          mismatch(validator.keys, key, tableOfId, `${path}.keys()`) ??
          mismatch(validator.values.fieldType, item, tableOfId, `${path}.values()`);
        if (problem !== null) return problem;
      }
      return null;
    }
    case "union": {
      const [only] = validator.value;
      if (only !== undefined && validator.value.length === 1) {
        return mismatch(only, value, tableOfId, path);
      }
      const matches = validator.value.some((v) => mismatch(v, value, tableOfId, path) === null);
      return matches ? null : noMatch(validator, value, path);
    }
    case "literal":
      return sameLiteral(validator.value, value) ? null : noMatch(validator, value, path);
    case "id": {
      const table = typeof value === "string" ? tableOfId(value) : null;
      if (table === null) return noMatch(validator, value, path);
      if (table === validator.tableName) return null;
      return (
        `Found ID "${value as string}" from table \`${table}\`, which does not match the table ` +
        `name in validator \`v.id("${validator.tableName}")\`.${at(path)}`
      );
    }
    default:
      return hasType(validator.type, value) ? null : noMatch(validator, value, path);
  }
}

function objectMismatch(
  fields: ObjectFields,
  value: Value | undefined,
  tableOfId: TableOfId,
  path: string,
  validator: ValidatorJson,
): string | null {
  if (!isObject(value)) return noMatch(validator, value, path);
  for (const [name, field] of Object.entries(fields)) {
    const item = Object.hasOwn(value, name) ? value[name] : undefined;
    if (item === undefined) {
      if (field.optional) continue;
      return (
        `Object is missing the required field \`${name}\`. Consider wrapping the field validator ` +
        `in \`v.optional(...)\` if this is expected.${at(path)}\n\n` +
        `Object: ${show(value)}\nValidator: ${describe(validator)}`
      );
    }
    const problem = mismatch(field.fieldType, item, tableOfId, `${path}.${name}`);
    if (problem !== null) return problem;
  }
  for (const name of Object.keys(value)) {
    if (value[name] !== undefined && !Object.hasOwn(fields, name)) {
      return (
        `Object contains extra field \`${name}\` that is not in the validator.${at(path)}\n\n` +
        `Object: ${show(value)}\nValidator: ${describe(validator)}`
      );
    }
  }
  return null;
}

function isObject(value: Value | undefined): value is Record<string, Value | undefined> {
  return (
    value !== null &&
    typeof value === "object" &&
    !Array.isArray(value) &&
    !(value instanceof ArrayBuffer)
  );
}

function hasType(type: string, value: Value | undefined): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "number":
      return typeof value === "number";
    case "bigint":
    case "commitTs":
      return typeof value === "bigint";
    case "boolean":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string";
    case "bytes":
      return value instanceof ArrayBuffer;
    default:
      throw new Error(`unknown validator type: ${type}`);
  }
}

function sameLiteral(literal: JSONValue, value: Value | undefined): boolean {
  const expected = jsonToConvex(literal);
  return expected === value;
}

function noMatch(validator: ValidatorJson, value: Value | undefined, path: string): string {
  return `Value does not match validator.${at(path)}\nValue: ${show(value)}\nValidator: ${describe(validator)}`;
}

function at(path: string): string {
  return path === "" ? "" : `\nPath: ${path}`;
}

const MAX_SHOWN = 1000;

function show(value: Value | undefined): string {
  if (value === undefined) return "undefined";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Number.isInteger(value) ? value.toFixed(1) : String(value);
  const text = JSON.stringify(convexToJson(value), (name, item: unknown) =>
    name === "internalKey" ? "[hidden]" : item,
  );
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** The validator as its source would read. */
export function describe(validator: ValidatorJson): string {
  switch (validator.type) {
    case "number":
      return "v.float64()";
    case "bigint":
      return "v.int64()";
    case "literal":
      return `v.literal(${JSON.stringify(validator.value)})`;
    case "id":
      return `v.id("${validator.tableName}")`;
    case "array":
      return `v.array(${describe(validator.value)})`;
    case "record":
      return `v.record(${describe(validator.keys)}, ${describe(validator.values.fieldType)})`;
    case "union":
      return `v.union(${validator.value.map(describe).join(", ")})`;
    case "object": {
      const fields = Object.entries(validator.value).map(([name, { fieldType, optional }]) =>
        optional
          ? `${name}: v.optional(${describe(fieldType)})`
          : `${name}: ${describe(fieldType)}`,
      );
      return `v.object({${fields.join(", ")}})`;
    }
    default:
      return `v.${validator.type}()`;
  }
}
