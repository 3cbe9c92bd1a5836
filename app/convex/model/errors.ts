// The one place where these functions make errors. Every error is a ConvexError with a code:
// production hides the text of plain errors, and callers branch on codes, never on text.
import { ConvexError } from "convex/values";

export type ErrorCode =
  | "INTERNAL_KEY_NOT_CONFIGURED"
  | "INVALID_INTERNAL_KEY"
  | "MESSAGE_NOT_FOUND"
  | "CONVERSATION_NOT_FOUND"
  | "PROJECT_NOT_FOUND"
  | "NOT_AN_ASSISTANT_MESSAGE"
  | "INVALID_PATH"
  | "FILE_NOT_FOUND"
  | "IS_A_FOLDER"
  | "PARENT_IS_A_FILE"
  | "FILE_TOO_LARGE"
  | "SUPERSEDED"
  /** A person saved the file while the job was running. */
  | "CHANGED_BY_USER"
  /** No identity. */
  | "UNAUTHORIZED"
  | "PROJECT_LIMIT_REACHED"
  | "INVALID_NAME"
  | "FILE_EXISTS"
  /** More than one call may read; the paged function reads it. */
  | "TOO_LARGE"
  /** Another answer of the project is under way, or this one cannot be asked for again. */
  | "MESSAGE_IN_PROGRESS"
  | "NOT_RETRYABLE";

export function coded(code: ErrorCode, message: string) {
  return new ConvexError({ code, message });
}

/** The code of an error that was made here; undefined for any other. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof ConvexError)) return undefined;
  const { code } = error.data as { code?: string };
  return code;
}
