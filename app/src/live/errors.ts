// Turns what went wrong into words for the person in front of the page. Pure.

import { ConvexError } from "convex/values";

/** An answer of one of our routes that is not a success. */
export class ApiError extends Error {
  /** 0: there was no answer. */
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, message: string, body: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.body = body;
  }
}

export function explain(error: unknown): string {
  if (error instanceof ApiError) return sentence(error.message);
  if (error instanceof ConvexError) {
    const { message } = (error.data ?? {}) as { message?: unknown };
    if (typeof message === "string") return sentence(message);
  }
  return "Something went wrong on the way. Please try again.";
}

/** The machine-readable reason of an error of ours. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof ConvexError)) return undefined;
  const { code } = (error.data ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "Something went wrong on the way. Please try again.";
  const capital = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
