// One step of a project generation, as a run of its own: finished once, it is never asked again. What
// the step is and what it may do is the core's to say; the parent is `generate-project`.

import { queue, task } from "@trigger.dev/sdk";
import type { GenerationStepPayload } from "polaris-agent";
import { handOver, untilEnded } from "../run.ts";

const MAX_ATTEMPTS = 3;
const MAX_DURATION_S = 3_600;

/** Of its own: a parent that waits must never hold the place that its child needs. */
const generationSteps = queue({ name: "generation-steps" });

export const generationStep = task({
  id: "generation-step",
  queue: generationSteps,
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
  run: async (payload: GenerationStepPayload, { ctx, signal }) =>
    await handOver({
      job: "generation-step",
      payload,
      options: {
        // All prompts of both plans are in prompts/generate-project.*.md; a file of one's own:
        // prompts: { plan: { file: "/path/to/plan.md" } },
        //
        // A step's files become visible together, or not at all: commit: "atomic",
        // No look at the project after each step: inspect: false,
        // What is found at the end is repaired: VERIFY in generate-project.ts.
        //
        // How many turns a step has is part of the plan.
        limits: { maxOutputTokens: 2_000, temperature: 0.7 },
      },
      maxAttempts: MAX_ATTEMPTS,
      ctx,
      signal,
    }),
  onCancel: untilEnded,
});
