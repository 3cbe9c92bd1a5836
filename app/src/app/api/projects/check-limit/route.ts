// Whether the user may have one more project (POST), and the count of one more (PUT). When billing is
// down, nobody is kept from working.

import { type Allowance, billing } from "../../../../billing/index.ts";
import { methods, signedIn } from "../../../../http/route.ts";

const WHEN_BILLING_IS_DOWN: Allowance = { allowed: true, currentUsage: 0, limit: 0 };

export const { GET, POST, PUT, PATCH, DELETE } = methods({
  POST: signedIn(async (_request, { userId }) => {
    try {
      const { allowed, currentUsage, limit } = await billing().check(userId);
      return { allowed, currentUsage, limit };
    } catch (error) {
      console.error("Billing could not be asked:", error);
      return WHEN_BILLING_IS_DOWN;
    }
  }),
  PUT: signedIn(async (_request, { userId }) => {
    await billing().track(userId, 1);
    return { success: true };
  }),
});
