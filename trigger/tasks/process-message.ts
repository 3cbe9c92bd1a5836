// Answers one message of a conversation: `{ messageId }` names the empty assistant message that the
// answer streams into. What the agent may do and how far it may go is set here.

import { task } from "@trigger.dev/sdk";
import type { ProcessMessagePayload } from "polaris-agent";
import { handOver, untilEnded } from "../run.ts";

export type { ProcessMessagePayload };

const MAX_ATTEMPTS = 3;
const MAX_DURATION_S = 3_600;

export const processMessage = task({
  id: "process-message",
  machine: "small-1x",
  maxDuration: MAX_DURATION_S,
  retry: {
    maxAttempts: MAX_ATTEMPTS,
    factor: 2,
    minTimeoutInMs: 1_000,
    maxTimeoutInMs: 60_000,
    randomize: true,
    // The runner takes a killed worker for one that ran out of memory, and retries it only with
    // another machine to go to, once.
    outOfMemory: { machine: "medium-1x" },
  },
  run: async (payload: ProcessMessagePayload, { ctx, signal }) =>
    await handOver({
      job: "process-message",
      payload,
      options: {
        // All tools that the job offers; name some to allow only those, or add your own by defineTool
        // (docs/own-tools.md):
        // tools: ["*", "!executeCommand", findOrders],
        //
        // The system prompt is prompts/process-message.md; another file or a text replaces it:
        // prompts: { system: { file: "/path/to/prompt.md" } },
        limits: { maxSteps: 10, maxOutputTokens: 2_000, temperature: 0.7 },
      },
      maxAttempts: MAX_ATTEMPTS,
      ctx,
      signal,
    }),
  onCancel: untilEnded,
});
