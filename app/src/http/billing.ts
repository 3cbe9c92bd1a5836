// What billing's answers, and failures on the way to a new project, become for the person who asked.

import { MessageError } from "../server/errors.ts";
import { NotAllowed } from "../server/plan.ts";
import { Refusal } from "./refusal.ts";

/** `otherwise` is what failed, for everything that has no words of its own. */
export function billingRefusal(error: unknown, otherwise: string): unknown {
  if (error instanceof NotAllowed) {
    const { currentUsage, limit } = error.allowance;
    return new Refusal(
      403,
      "Project limit reached. Please upgrade to Pro for unlimited projects.",
      { currentUsage, limit },
    );
  }
  if (error instanceof MessageError || error instanceof Refusal) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const isBilling = /AUTUMN|environment variable/.test(reason);
  return new Refusal(
    500,
    isBilling ? "Billing service configuration error. Please contact support." : otherwise,
    process.env.NODE_ENV === "production" ? {} : { details: reason },
    error,
  );
}
