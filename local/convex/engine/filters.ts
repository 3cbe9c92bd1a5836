// Evaluates `.filter(q => …)` expressions over one document. Pure.
import type { JSONValue } from "convex/values";
import { compareValues } from "convex/values";
import { decodePart, fieldAt, type KeyPart } from "./keys.ts";
import type { Fields } from "./store.ts";

export function passes(expression: JSONValue, document: Fields): boolean {
  const result = evaluate(expression, document);
  if (typeof result !== "boolean") {
    throw new Error(`A filter must give a boolean, not ${String(result)}`);
  }
  return result;
}

type Operator = (operands: JSONValue[], document: Fields) => KeyPart;

const OPERATORS: Record<string, Operator> = {
  $eq: compare((c) => c === 0),
  $neq: compare((c) => c !== 0),
  $lt: compare((c) => c < 0),
  $lte: compare((c) => c <= 0),
  $gt: compare((c) => c > 0),
  $gte: compare((c) => c >= 0),
  $add: arithmetic(
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  $sub: arithmetic(
    (a, b) => a - b,
    (a, b) => a - b,
  ),
  $mul: arithmetic(
    (a, b) => a * b,
    (a, b) => a * b,
  ),
  $div: arithmetic(
    (a, b) => a / b,
    (a, b) => a / b,
  ),
  $mod: arithmetic(
    (a, b) => a % b,
    (a, b) => a % b,
  ),
  $and: (operands, document) => operands.every((operand) => isTrue(operand, document)),
  $or: (operands, document) => operands.some((operand) => isTrue(operand, document)),
};

function evaluate(expression: JSONValue, document: Fields): KeyPart {
  if (expression === null || typeof expression !== "object" || Array.isArray(expression)) {
    throw new Error(`Invalid filter expression: ${JSON.stringify(expression)}`);
  }
  const [entry] = Object.entries(expression);
  const [operator, operand] = entry ?? ["", null];
  if (operator === "$literal") return decodePart(operand as JSONValue);
  if (operator === "$field") return fieldAt(document, operand as string);
  if (operator === "$not") return !isTrue(operand as JSONValue, document);
  if (operator === "$neg") {
    const value = evaluate(operand as JSONValue, document);
    if (typeof value === "number" || typeof value === "bigint") return -value;
    throw new Error(`Cannot negate ${String(value)} in a filter`);
  }
  const apply = OPERATORS[operator];
  if (apply === undefined) throw new Error(`Unknown filter operator: ${operator}`);
  return apply(operand as JSONValue[], document);
}

function isTrue(expression: JSONValue, document: Fields): boolean {
  const value = evaluate(expression, document);
  if (typeof value === "boolean") return value;
  throw new Error(`Expected a boolean in a filter, not ${String(value)}`);
}

function compare(accept: (order: number) => boolean): Operator {
  return ([left, right], document) =>
    accept(
      compareValues(evaluate(left as JSONValue, document), evaluate(right as JSONValue, document)),
    );
}

function arithmetic(
  float: (a: number, b: number) => number,
  integer: (a: bigint, b: bigint) => bigint,
): Operator {
  return ([left, right], document) => {
    const a = evaluate(left as JSONValue, document);
    const b = evaluate(right as JSONValue, document);
    if (typeof a === "number" && typeof b === "number") return float(a, b);
    if (typeof a === "bigint" && typeof b === "bigint") return BigInt.asIntN(64, integer(a, b));
    throw new Error("Arithmetic in a filter needs two numbers of one type");
  };
}
