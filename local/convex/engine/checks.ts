// What must hold before a function runs and before its work is committed, and of stored documents
// before a schema is accepted.
import type { JSONValue, Value } from "convex/values";
import { jsonToConvex } from "convex/values";
import { FunctionError, textOf } from "./errors.ts";
import { checkSize, checkValue, MAX_ARGUMENT_BYTES, MAX_RETURN_BYTES } from "./limits.ts";
import type { ConvexFunction } from "./modules.ts";
import type { Store } from "./store.ts";
import { Transaction } from "./transaction.ts";
import { mismatch, type TableOfId } from "./validators.ts";

export function checkArguments(fn: ConvexFunction, argsJson: string, tableOf: TableOfId): void {
  let args: Value;
  try {
    checkSize("Arguments", argsJson, MAX_ARGUMENT_BYTES);
    args = jsonToConvex(JSON.parse(argsJson) as JSONValue);
    checkValue(args);
  } catch (error) {
    throw new FunctionError(`Invalid arguments for ${fn.path}: ${textOf(error)}`);
  }
  if (args === null || typeof args !== "object" || Array.isArray(args)) {
    throw new FunctionError(`Invalid arguments for ${fn.path}: not an object`);
  }
  const problem = mismatch(fn.args, args, tableOf);
  if (problem !== null) throw new FunctionError(`ArgumentValidationError: ${problem}`);
}

export function checkResult(fn: ConvexFunction, json: string, tableOf: TableOfId): void {
  try {
    checkSize("Return value", json, MAX_RETURN_BYTES);
    const value = jsonToConvex(JSON.parse(json) as JSONValue);
    checkValue(value);
    const problem = fn.returns === null ? null : mismatch(fn.returns, value, tableOf);
    if (problem !== null) throw new FunctionError(`ReturnsValidationError: ${problem}`);
  } catch (error) {
    if (error instanceof FunctionError) throw error;
    throw new FunctionError(`Invalid return value of ${fn.path}: ${textOf(error)}`);
  }
}

/** As a deployment would: a schema that stored documents do not match is refused. */
export function checkStoredDocuments(store: Store, schemaText: string): void {
  if (store.setting("schema") === schemaText) return;
  const transaction = new Transaction(store, { ts: 0n, readOnly: true });
  for (const table of store.tables()) {
    if (table.schema.documents === null) continue;
    for (const { id, json } of store.documents(table)) {
      const document = jsonToConvex(JSON.parse(json)) as Record<string, Value>;
      const { _id, _creationTime, ...own } = document;
      const problem = mismatch(table.schema.documents, own, transaction.tableNameOf);
      if (problem === null) continue;
      throw new Error(
        `Schema validation failed: document ${id} in table "${table.schema.name}" does not match ` +
          `the schema: ${problem}`,
      );
    }
  }
  store.setSetting("schema", schemaText);
}
