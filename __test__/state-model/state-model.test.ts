// The state model of message × run × cancel, explored to its last state, and the product's Convex
// functions held against it. `POLARIS_STATE_MODEL=wide` allows more faults on one way.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { letFarTimersGo } from "../far-timers.ts";
import { explore, type Node, pathTo } from "./explore.ts";
import { NEVER_STUCK } from "./invariants.ts";
import type { Step } from "./model.ts";
import { Replay } from "./replay.ts";
import { CREATED, type Rules, rules } from "./store.ts";

/** Two cancels in any order; how many faults of workers or network may come together on one way. */
const BOUNDS = { cancels: 2, faults: process.env.POLARIS_STATE_MODEL === "wide" ? 2 : 1 };

interface Edge {
  from: Node;
  step: Step;
}

describe("a message, its run and its cancel, in every order", { timeout: 300_000 }, () => {
  /** One edge for each call to each stored message. */
  const asked = new Map<string, Edge>();

  it("break no rule in any state that can be reached", (t) => {
    const { states, edges, violations } = explore(BOUNDS, undefined, (from, step) => {
      if (step.call === undefined) return;
      const key = JSON.stringify([from.state.stored, step.call]);
      if (!asked.has(key)) asked.set(key, { from, step });
    });
    t.diagnostic(`${states} states × ${edges} edges, ${asked.size} different calls to the store`);
    assert.deepEqual(violations, []);
    assert.ok(states > 10_000 && asked.size > 500, "the model has lost most of its states");
  });

  it("are as the Convex functions make them", async (t) => {
    letFarTimersGo();
    const replay = new Replay();
    const covered = new Set<string>();
    let paths = 0;
    // The longest first: the shorter ones are often part of them.
    const edges = [...asked].map(([key, edge]) => ({
      key,
      path: [...pathTo(edge.from), edge.step],
    }));
    edges.sort((a, b) => b.path.length - a.path.length);
    for (const { key, path } of edges) {
      if (covered.has(key)) continue;
      const wrong = await replay.play(path);
      if (wrong !== undefined) {
        assert.fail(`${wrong.invariants.join("; ") || "not as in the model"}\n${wrong.text}`);
      }
      paths++;
      for (const covers of keysOf(path)) covered.add(covers);
    }
    t.diagnostic(`${paths} paths, ${replay.calls} calls, ${covered.size} of them different`);
    assert.ok([...asked.keys()].every((key) => covered.has(key)));
  });
});

/** The calls on a path, each with what is stored before it. */
function keysOf(path: readonly Step[]): string[] {
  const keys: string[] = [];
  let stored = CREATED;
  for (const { call, state } of path) {
    if (call !== undefined) keys.push(JSON.stringify([stored, call]));
    stored = state.stored;
  }
  return keys;
}

describe("a store that breaks a rule", () => {
  const cases: [string, Rules, string][] = [
    [
      "lets a write pass after the end",
      (stored, call) => {
        if (call.fn !== "text" || stored.status === "processing") return rules(stored, call);
        const after = { ...stored, text: call.text };
        return { stored: after, answer: { status: stored.status, applied: true } };
      },
      "nothing is written after the terminal status",
    ],
    [
      "takes the writes of an older attempt",
      (stored, call) =>
        "by" in call && call.fn !== "begin" && stored.owner > call.by
          ? rules({ ...stored, owner: call.by }, call)
          : rules(stored, call),
      "a superseded attempt changes nothing",
    ],
    [
      "does not look at a message again",
      (stored, call) => {
        const { answer, stored: after } = rules(stored, call);
        return { stored: after, answer: { status: answer.status, applied: answer.applied } };
      },
      NEVER_STUCK,
    ],
    [
      "lets a late beginning begin anew",
      (stored, call) =>
        call.fn === "begin" ? rules(stored, { ...call, passed: false }) : rules(stored, call),
      "a write that comes again or late changes nothing",
    ],
  ];
  for (const [what, broken, invariant] of cases) {
    it(`that ${what} is found`, () => {
      const found = explore({ cancels: 0, faults: 1 }, broken).violations;
      assert.ok(
        found.some((violation) => violation.invariant === invariant),
        JSON.stringify(found.map((violation) => violation.invariant)),
      );
    });
  }
});
