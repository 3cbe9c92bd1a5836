// Answers one prompt, with the pages that it names by their URLs: shows scraping, the primary model and
// the fallback on a small path. What may be asked for, and how far, is the core's to say.

import { task } from "@trigger.dev/sdk";
import type { DemoGeneratePayload, LeftOut } from "polaris-agent";
import { handOver, untilEnded } from "../run.ts";

export type { DemoGeneratePayload };

export interface DemoGenerated {
  /** The answer. */
  data: string;
  metadata: { provider: string; model: string; usedFallback: boolean };
  /** URLs of the prompt whose pages the model did not get, and why; absent if there are none. */
  leftOut?: LeftOut[];
}

const MAX_ATTEMPTS = 3;
const MAX_DURATION_S = 3_600;

export const demoGenerate = task({
  id: "demo-generate",
  machine: "small-1x",
  maxDuration: MAX_DURATION_S,
  retry: {
    maxAttempts: MAX_ATTEMPTS,
    factor: 2,
    minTimeoutInMs: 1_000,
    maxTimeoutInMs: 60_000,
    randomize: true,
  },
  // The runner's test page begins with the example.
  jsonSchema: {
    type: "object",
    properties: { prompt: { type: "string" } },
    required: ["prompt"],
    examples: [{ prompt: "Summarise https://www.rust-lang.org/learn in three sentences." }],
  },
  run: async (payload: DemoGeneratePayload, { ctx, signal }): Promise<DemoGenerated> => {
    const { text, provider, model, usedFallback, leftOut } = await handOver({
      job: "demo-generate",
      payload,
      options: {
        // Pages come from Firecrawl if FIRECRAWL_API_KEY is set; other bounds than the core's own:
        // scrape: { maxUrls: 5, pageMs: 30_000, maxPageBytes: 65_536, maxTotalBytes: 131_072 },
        limits: { maxOutputTokens: 2_000, temperature: 0.7 },
      },
      maxAttempts: MAX_ATTEMPTS,
      ctx,
      signal,
    });
    return {
      data: text ?? "",
      metadata: { provider: provider ?? "", model, usedFallback },
      ...(leftOut === undefined ? {} : { leftOut }),
    };
  },
  onCancel: untilEnded,
});
