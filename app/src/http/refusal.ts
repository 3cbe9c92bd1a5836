// Why a request is not done: a status, and `{ error }` in words for the person who asked.

export class Refusal extends Error {
  readonly status: number;
  readonly more: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    message: string,
    more: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "Refusal";
    this.status = status;
    this.more = more;
  }

  toResponse(): Response {
    return Response.json({ error: this.message, ...this.more }, { status: this.status });
  }
}
