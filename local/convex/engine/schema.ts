// The tables, indexes and document validators of a deployment, as `schema.export()` describes them,
// plus the system tables. Pure: what is stored about them stands in store.ts.
import type { ValidatorJson } from "./validators.ts";

export interface TableSchema {
  name: string;
  /** Index name → fields in order, `_creationTime` last (the id, which makes keys unique, is implied). */
  indexes: Map<string, string[]>;
  /** null: documents are not checked. */
  documents: ValidatorJson | null;
}

export type Schema = Map<string, TableSchema>;

interface ExportedIndex {
  indexDescriptor: string;
  fields: string[];
}

interface ExportedSchema {
  tables: {
    tableName: string;
    indexes: ExportedIndex[];
    stagedDbIndexes?: ExportedIndex[];
    documentType: ValidatorJson;
  }[];
  schemaValidation: boolean;
}

const SYSTEM_TABLES: readonly [name: string, indexes: [string, string[]][]][] = [
  ["_storage", []],
  ["_scheduled_functions", [["by_state_time", ["state.kind", "scheduledTime"]]]],
];

export function parseSchema(exported: string | null): Schema {
  const schema: Schema = new Map();
  for (const [name, indexes] of SYSTEM_TABLES) {
    schema.set(name, { name, indexes: withSystemIndexes(indexes), documents: null });
  }
  if (exported === null) return schema;
  const { tables, schemaValidation } = JSON.parse(exported) as ExportedSchema;
  for (const table of tables) {
    const indexes = table.indexes.map((index): [string, string[]] => [
      index.indexDescriptor,
      index.fields,
    ]);
    schema.set(table.tableName, {
      name: table.tableName,
      indexes: withSystemIndexes(indexes),
      documents: schemaValidation ? table.documentType : null,
    });
  }
  return schema;
}

/** A table that no schema names exists as soon as something is written to it. */
export function undeclaredTable(name: string): TableSchema {
  return { name, indexes: withSystemIndexes([]), documents: null };
}

function withSystemIndexes(declared: [string, string[]][]): Map<string, string[]> {
  return new Map<string, string[]>([
    ["by_id", ["_id"]],
    ["by_creation_time", ["_creationTime"]],
    ...declared.map(([name, fields]): [string, string[]] => [
      name,
      fields.at(-1) === "_creationTime" ? fields : [...fields, "_creationTime"],
    ]),
  ]);
}
