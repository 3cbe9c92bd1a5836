// Carries what billing says of a user's plan over to their row in Convex, which has the last word on
// every new project: a user who has paid must not meet the limit of the free plan there. Only where
// billing is real; what somebody else keeps in that row stays otherwise.

import { api } from "../../convex/_generated/api.js";
import type { Allowance, Billing } from "../billing/index.ts";
import { store, userStore } from "./clients.ts";

/** Billing says no. */
export class NotAllowed extends Error {
  readonly allowance: Allowance;

  constructor(allowance: Allowance) {
    super("the user may have no further project");
    this.name = "NotAllowed";
    this.allowance = allowance;
  }
}

/**
 * Asks billing for room for one more project.
 *
 * @throws {NotAllowed} when there is none.
 */
export async function requireRoom(
  billing: Billing,
  { userId, token }: { userId: string; token: string },
): Promise<void> {
  const { allowed, currentUsage, limit, projectLimit } = await billing.check(userId);
  if (billing.kind !== "unlimited") {
    // Makes the row of somebody who has just signed up.
    await userStore(token).mutation(api.users.getOrCreateUser, {});
    const { convex, key } = store();
    await convex.mutation(api.users.setProjectLimit, { ...key, userId, projectLimit, allowed });
  }
  if (!allowed) throw new NotAllowed({ allowed, currentUsage, limit });
}
