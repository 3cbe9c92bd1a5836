// Asks one of our routes. An answer that is no success, or none at all, becomes an ApiError whose text
// a person can read.

import { ApiError } from "./errors.ts";

const TIMEOUT_MS = 120_000;

/** The JSON object that the route answered. */
export async function request(
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, "The server could not be reached. Check your connection and try again");
  }
  const answer = await response
    .json()
    .then((value: unknown) => (isRecord(value) ? value : {}))
    .catch(() => ({}) as Record<string, unknown>);
  if (response.ok) return answer;
  const { error } = answer;
  throw new ApiError(
    response.status,
    typeof error === "string" && error !== "" ? error : `The server answered ${response.status}`,
    answer,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
