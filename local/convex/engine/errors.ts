// How a function's failure looks to a caller. In development the text of every error is passed on;
// redacted, as in production, only the data of a ConvexError survive.
import type { JSONValue } from "convex/values";

export interface Failure {
  errorMessage: string;
  /** The data of a ConvexError, Convex-encoded. */
  errorData?: JSONValue;
}

/** A failure that is not the function's own code: bad arguments, an unknown path, a limit. */
export class FunctionError extends Error {}

const MAX_STACK_LINES = 5;

export function describeFailure(
  thrown: unknown,
  options: { requestId: string; redact: boolean; functions: string },
): Failure {
  const prefix = `[Request ID: ${options.requestId}] Server Error`;
  const errorData = convexErrorData(thrown);
  const data = errorData === undefined ? {} : { errorData };
  if (options.redact) return { errorMessage: prefix, ...data };
  if (thrown instanceof FunctionError)
    return { errorMessage: `${prefix}\n${thrown.message}`, ...data };
  const name = errorData === undefined ? nameOf(thrown) : "ConvexError";
  const stack = thrown instanceof Error ? ownStack(thrown, options.functions) : "";
  return { errorMessage: `${prefix}\nUncaught ${name}: ${textOf(thrown)}\n${stack}`, ...data };
}

export function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : "Error";
}

/** By the time an error leaves a function, `convex/server` has made its data a JSON text. */
export function convexErrorData(thrown: unknown): JSONValue | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  const { data } = thrown as { data?: unknown };
  if (Symbol.for("ConvexError") in thrown && typeof data === "string") {
    return JSON.parse(data) as JSONValue;
  }
  return undefined;
}

/** The lines of a stack that lie in the functions' folder, with paths relative to it. */
function ownStack(error: Error, functions: string): string {
  const lines: string[] = [];
  for (const line of (error.stack ?? "").split("\n")) {
    const at = line.indexOf(`${functions}/`);
    if (at === -1 || lines.length === MAX_STACK_LINES) continue;
    const begin = Math.max(line.lastIndexOf("(", at), line.lastIndexOf(" ", at));
    const location = line.slice(at + functions.length + 1).replace(/\)$/, "");
    lines.push(`${line.slice(0, begin).trimEnd()} (../${location})\n`);
  }
  return lines.join("");
}
