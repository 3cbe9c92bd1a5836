// polaris-agent: job `agent` through the built package and its release addon.

import { startRun } from "../../npm/dist/index.mjs";
import { MODEL, modelUrl, PROMPT, usesTools } from "./scenario.mjs";

/** @param {{ base: string, deltas: "coalesced" | "each" }} options */
export async function create({ base, deltas }) {
  process.env.POLARIS_PRIMARY_MODEL = MODEL;
  return async (scenario, onDelta) => {
    process.env.POLARIS_PRIMARY_BASE_URL = modelUrl(base, scenario);
    const run = startRun({
      job: "agent",
      payload: {
        messages: [{ role: "user", content: PROMPT }],
        ...(usesTools(scenario) ? { files: {} } : {}),
      },
      options: { deltas, ...(usesTools(scenario) ? { tools: ["writeFile"] } : {}) },
    });
    let text = "";
    for (let batch = await run.nextBatch(); batch !== null; batch = await run.nextBatch()) {
      for (const event of batch) {
        if (event.type !== "text") continue;
        onDelta?.();
        text += event.text;
      }
    }
    const result = await run.result();
    if (result.text !== text) throw new Error("the events and the result differ");
    return { text, files: new Map(Object.entries(result.files ?? {})) };
  };
}
