// The adapter of this deployment, by its variables as they are now.

import { variable } from "../server/variables.ts";
import { autumnBilling } from "./autumn.ts";
import { type Billing, UNLIMITED } from "./port.ts";

export type { Allowance, Billing, Plan } from "./port.ts";

const AUTUMN_API_URL = "https://api.useautumn.com/v1";

export function billing(): Billing {
  const secretKey = variable("AUTUMN_SECRET_KEY");
  if (secretKey === undefined) return unlimited;
  const apiUrl = (variable("AUTUMN_API_URL") ?? AUTUMN_API_URL).replace(/\/+$/, "");
  return autumnBilling({ secretKey, apiUrl });
}

const unlimited: Billing = {
  kind: "unlimited",
  check: async () => ({
    allowed: true,
    currentUsage: 0,
    limit: UNLIMITED,
    projectLimit: UNLIMITED,
  }),
  track: async () => undefined,
};
