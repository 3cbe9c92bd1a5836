// A store that is slow, loses answers, is busy or gone for two seconds; the long ones are
// `npm run test:outage`.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SHORT } from "./cases.ts";
import { outage } from "./outage.ts";

const SEED = 4;

describe("with a store that is slow or fails", { timeout: 120_000 }, () => {
  for (const one of SHORT) {
    it(`(${one.name}) every answer is exact and nothing happens twice`, async (t) => {
      const { problems, faults, attempts, wallMs, nominalMs } = await outage(one, SEED);
      t.diagnostic(
        `${faults} faults, ${attempts} attempts at most, ${Math.round(wallMs)} ms for ${nominalMs} ms of stream`,
      );
      assert.deepEqual(problems, []);
      assert.ok(one.writeMs > 5 || faults > 0, "nothing went wrong on the way");
    });
  }
});
