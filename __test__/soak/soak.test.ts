// A short soak with a fixed seed; the long one is `npm run soak`.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checks } from "./checks.ts";
import { soak } from "./soak.ts";

const RUNS = 60;
const SECONDS = 4;
const SEED = 4;

describe("many runs in one process, with cancels and failures", { timeout: 120_000 }, () => {
  it("end as they should and leave nothing behind", async (t) => {
    const result = await soak({ seed: SEED, runs: RUNS, seconds: SECONDS });
    for (const { what, holds } of checks(result, RUNS)) {
      t.diagnostic(what);
      assert.ok(holds, `${what}\n${result.problems.join("\n")}`);
    }
  });
});
