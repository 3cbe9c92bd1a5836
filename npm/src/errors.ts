// The errors that a caller sees: real classes with a JavaScript stack, re-made from what the addon
// threw. Nothing here decides what an error is; code and retryable come from the core's table.
//
// Two copies of this package in one process (a hoisted and a nested one) have two sets of classes.
// `instanceof` still holds between them: it asks for a mark that both share.

import type { ErrorCode } from "./generated.ts";
import { ERROR_CODES } from "./generated.ts";

/** A code of the core, or of this package's own: the addon could not be loaded. */
export type PolarisErrorCode = ErrorCode | "ADDON_MISSING";

export type ErrorFamily =
  | "ConfigError"
  | "PayloadError"
  | "ModelError"
  | "StoreError"
  | "ToolError"
  | "CancelledError"
  | "TimeoutError"
  | "InternalError";

/** A breadcrumb as Sentry reads it; numbers and names only, no text of the conversation. */
export interface Breadcrumb {
  /** Seconds since 1970. */
  timestamp: number;
  category?: string;
  message?: string;
  level?: string;
  type?: string;
  data?: Record<string, unknown>;
}

export interface PolarisErrorDetails {
  /** Whether a new attempt can help. Default: what the table says. */
  retryable?: boolean;
  /** The HTTP status behind it. */
  status?: number;
  /** How long the other side asked to wait before a new try. */
  retryAfterMs?: number;
  /** What the operator should do. Default: what the table says. */
  hint?: string;
  cause?: unknown;
  /** What happened in the run before, oldest first. */
  breadcrumbs?: readonly Breadcrumb[];
}

const MARK = Symbol.for("polaris-agent.error");

/** Everything that a run can end with. */
export class PolarisError extends Error {
  readonly code: PolarisErrorCode;
  readonly retryable: boolean;
  readonly hint: string;
  declare readonly status?: number;
  declare readonly retryAfterMs?: number;
  /** Not enumerable: a log line or an error report that prints the error does not repeat them. */
  declare readonly breadcrumbs: readonly Breadcrumb[];

  constructor(code: PolarisErrorCode, message: string, details: PolarisErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    const row: { retryable: boolean; hint: string } =
      code === "ADDON_MISSING" ? ADDON_MISSING : ERROR_CODES[code];
    const family = FAMILY_OF_CODE[code];
    hide(this, "name", family);
    hide(this, MARK, family);
    this.code = code;
    this.retryable = details.retryable ?? row.retryable;
    this.hint = details.hint ?? row.hint;
    if (details.status !== undefined) this.status = details.status;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
    hide(this, "breadcrumbs", details.breadcrumbs ?? []);
  }
}

/** A variable or an option is missing or wrong, or the addon is. */
export class ConfigError extends PolarisError {}
/** The payload does not have the shape that its job needs. */
export class PayloadError extends PolarisError {}
/** The provider refused, failed, or gave no answer that can be used. */
export class ModelError extends PolarisError {}
/** The store refused, failed, or does not have what the run is about. */
export class StoreError extends PolarisError {}
/** A tool failed in a way that the model cannot correct. */
export class ToolError extends PolarisError {}
/** The run was cancelled. */
export class CancelledError extends PolarisError {}
/** The runner's time limit passed. */
export class TimeoutError extends PolarisError {}
/** A defect of this package. */
export class InternalError extends PolarisError {}

const ADDON_MISSING = { retryable: false, hint: "install or build the addon for this platform" };

const CLASSES = {
  ConfigError,
  PayloadError,
  ModelError,
  StoreError,
  ToolError,
  CancelledError,
  TimeoutError,
  InternalError,
} satisfies Record<ErrorFamily, typeof PolarisError>;

shareInstances(PolarisError, (mark) => mark !== undefined);
for (const [name, family] of Object.entries(CLASSES)) {
  shareInstances(family, (mark) => mark === name);
}

/** Makes `instanceof` hold for the instances of another copy of this package. */
function shareInstances(of: typeof PolarisError, belongs: (mark: unknown) => boolean): void {
  Object.defineProperty(of, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      // A class that a caller derived from one of these.
      if (this !== of) return Function.prototype[Symbol.hasInstance].call(this, value);
      return typeof value === "object" && value !== null && belongs(Reflect.get(value, MARK));
    },
  });
}

// A new code of the core does not compile until it has a class.
const FAMILY_OF_CODE: Readonly<Record<PolarisErrorCode, ErrorFamily>> = {
  ADDON_MISSING: "ConfigError",
  CONFIG_MISSING: "ConfigError",
  CONFIG_INVALID: "ConfigError",
  PAYLOAD_INVALID: "PayloadError",
  MESSAGE_NOT_FOUND: "StoreError",
  NOT_AN_ASSISTANT_MESSAGE: "StoreError",
  PROJECT_NOT_FOUND: "StoreError",
  MODEL_AUTH: "ModelError",
  MODEL_PAYMENT: "ModelError",
  MODEL_BAD_REQUEST: "ModelError",
  MODEL_CONTEXT_LENGTH: "ModelError",
  MODEL_RATE_LIMITED: "ModelError",
  MODEL_UNAVAILABLE: "ModelError",
  MODEL_CONNECT: "ModelError",
  MODEL_TLS: "ModelError",
  TLS_CERTIFICATE_EXPIRED: "ConfigError",
  TLS_WRONG_HOST: "ConfigError",
  TLS_UNKNOWN_ISSUER: "ConfigError",
  MODEL_CONNECT_TIMEOUT: "ModelError",
  MODEL_FIRST_BYTE_TIMEOUT: "ModelError",
  MODEL_STALLED: "ModelError",
  MODEL_TURN_TIMEOUT: "ModelError",
  MODEL_STREAM_CUT: "ModelError",
  MODEL_PROTOCOL: "ModelError",
  MODEL_ERROR: "ModelError",
  ANSWER_TOO_LARGE: "ModelError",
  OUTPUT_LIMIT: "ModelError",
  CONTENT_FILTER: "ModelError",
  EMPTY_ANSWER: "ModelError",
  STEP_LIMIT: "ModelError",
  STORE_NOT_CONVEX: "StoreError",
  STORE_KEY_REFUSED: "StoreError",
  STORE_FUNCTION_MISSING: "StoreError",
  STORE_FUNCTION_FAILED: "StoreError",
  STORE_UNAVAILABLE: "StoreError",
  TOOL_FATAL: "ToolError",
  TOOL_UNAVAILABLE: "ToolError",
  TOOL_LOOP: "ModelError",
  TOOL_NOT_CALLED: "ModelError",
  SUPERSEDED: "CancelledError",
  CANCELLED: "CancelledError",
  RUN_TIMEOUT: "TimeoutError",
  INTERNAL: "InternalError",
};

/** An error of the class that belongs to its code. */
export function polarisError(
  code: PolarisErrorCode,
  message: string,
  details?: PolarisErrorDetails,
): PolarisError {
  return new CLASSES[FAMILY_OF_CODE[code]](code, message, details);
}

/** Re-makes what the addon threw; anything else that comes out of it is a defect and says so. */
export function fromNative(thrown: unknown): PolarisError {
  const error = remake(thrown);
  // The stack begins where the addon was called.
  Error.captureStackTrace(error, fromNative);
  return error;
}

function remake(thrown: unknown): PolarisError {
  const { name, message, code, retryable, status, retryAfterMs, hint, cause, breadcrumbs } =
    fieldsOf(thrown);
  if (name !== "PolarisError" || typeof code !== "string" || !(code in FAMILY_OF_CODE)) {
    const text = typeof message === "string" ? message : String(thrown);
    return polarisError("INTERNAL", `the addon failed: ${text}`, { cause: thrown });
  }
  return polarisError(code as PolarisErrorCode, String(message), {
    ...(typeof retryable === "boolean" ? { retryable } : {}),
    ...(typeof status === "number" ? { status } : {}),
    ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
    ...(typeof hint === "string" ? { hint } : {}),
    ...(typeof cause === "string" ? { cause: new Error(cause) } : {}),
    breadcrumbs: parseBreadcrumbs(breadcrumbs),
  });
}

function fieldsOf(thrown: unknown): Record<string, unknown> {
  return typeof thrown === "object" && thrown !== null ? (thrown as Record<string, unknown>) : {};
}

function parseBreadcrumbs(json: unknown): Breadcrumb[] {
  if (typeof json !== "string") return [];
  const parsed: unknown = JSON.parse(json);
  return Array.isArray(parsed) ? (parsed as Breadcrumb[]) : [];
}

function hide(target: object, key: PropertyKey, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    enumerable: false,
    writable: true,
    configurable: true,
  });
}
