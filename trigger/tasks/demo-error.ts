// Fails, always: shows that a failed run arrives in the error reports, once.

import { task } from "@trigger.dev/sdk";

export const demoError = task({
  id: "demo-error",
  // Repeating it changes nothing, and only the last attempt is reported.
  retry: { maxAttempts: 1 },
  run: async () => {
    throw new Error("Trigger.dev error: Background job failed!");
  },
});
