// What the server code of messages and generations can fail with. A route turns the code into a status; the text is
// for people and carries no secret.

import { ConvexError } from "convex/values";

export type MessageErrorCode =
  /** A variable is not set; the text names it. */
  | "CONFIG_MISSING"
  | "CONVERSATION_NOT_FOUND"
  | "MESSAGE_NOT_FOUND"
  | "NOT_AN_ASSISTANT_MESSAGE"
  /** Another message of the project is being answered; `messageId` names it. */
  | "MESSAGE_IN_PROGRESS"
  | "PROJECT_NOT_FOUND"
  /** Only the last answer can be asked for again, when it failed. */
  | "NOT_RETRYABLE"
  | "INVALID_NAME"
  | "PROJECT_LIMIT_REACHED"
  /** The project began without a generation. */
  | "NO_GENERATION"
  | "GENERATION_IN_PROGRESS"
  /** The runner did not take the task; the message `messageId`, or the generation, is failed. */
  | "TRIGGER_FAILED";

export class MessageError extends Error {
  readonly code: MessageErrorCode;
  readonly messageId: string | undefined;
  readonly projectId: string | undefined;

  constructor(
    code: MessageErrorCode,
    message: string,
    options: { messageId?: string; projectId?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MessageError";
    this.code = code;
    this.messageId = options.messageId;
    this.projectId = options.projectId;
  }
}

/** Gives an error of our Convex functions that callers know its code here too. */
export function known(error: unknown): unknown {
  if (!(error instanceof ConvexError)) return error;
  const { code, message } = error.data as { code?: unknown; message?: unknown };
  switch (code) {
    case "CONVERSATION_NOT_FOUND":
    case "MESSAGE_NOT_FOUND":
    case "NOT_AN_ASSISTANT_MESSAGE":
    case "PROJECT_NOT_FOUND":
    case "NOT_RETRYABLE":
    case "INVALID_NAME":
    case "PROJECT_LIMIT_REACHED":
      return new MessageError(code, String(message), { cause: error });
    default:
      return error;
  }
}
