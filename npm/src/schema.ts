// Checks the arguments of a call against the JSON schema of a tool of one's own: the types, what is
// required, what may be there, and the values of an enum. Other keywords are for the model alone.

/** A JSON schema (draft 7) of an object. */
export type JsonSchema = Record<string, unknown>;

/** What is wrong, each with its place; empty if nothing is. */
export function checkArgs(schema: JsonSchema, args: unknown): string[] {
  const problems: string[] = [];
  check(schema, args, "", problems);
  return problems;
}

function check(schema: unknown, value: unknown, at: string, problems: string[]): void {
  if (!isObject(schema)) return;
  const say = (what: string) => problems.push(at === "" ? what : `\`${at}\`: ${what}`);
  const types = [schema.type].flat().filter((type) => typeof type === "string");
  if (types.length > 0 && !types.some((type) => isOf(type, value))) {
    say(`expected ${types.join(" or ")}, got ${typeName(value)}`);
    return;
  }
  if (Array.isArray(schema.enum) && !schema.enum.some((one) => same(one, value))) {
    say(`expected one of ${schema.enum.map((one) => JSON.stringify(one)).join(", ")}`);
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      check(schema.items, item, join(at, String(index)), problems);
    }
  } else if (isObject(value)) {
    checkObject(schema, value, at, problems);
  }
}

function checkObject(
  schema: JsonSchema,
  value: Record<string, unknown>,
  at: string,
  problems: string[],
): void {
  const properties = isObject(schema.properties) ? schema.properties : {};
  for (const name of Array.isArray(schema.required) ? schema.required : []) {
    if (!Object.hasOwn(value, String(name)))
      problems.push(`\`${join(at, String(name))}\`: is missing`);
  }
  for (const [name, item] of Object.entries(value)) {
    if (Object.hasOwn(properties, name)) check(properties[name], item, join(at, name), problems);
    else if (schema.additionalProperties === false) {
      problems.push(`\`${join(at, name)}\`: is no parameter`);
    }
  }
}

function join(at: string, name: string): string {
  return at === "" ? name : `${at}.${name}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOf(type: unknown, value: unknown): boolean {
  if (type === "integer") return Number.isInteger(value);
  return type === typeName(value);
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** Both come from JSON. */
function same(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
