// The host and convex-test, which is independent of it, must answer random calls alike. Where the two
// differ on purpose, production's behaviour is the host's: the last test lists those places, and
// fails when one of them goes away.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Value } from "convex/values";
import fc from "fast-check";
import appSchema from "../../app/convex/schema.ts";
import fixtureSchema from "./fixtures/app/schema.ts";
import { startConvex } from "./index.ts";
import { Admin, host, httpClient } from "./testing/harness.ts";
import { type Args, appStep, type Call, call, fixtureCall, order } from "./testing/random-calls.ts";
import {
  type Back,
  convexTestBack,
  hostBack,
  type Kind,
  normalize,
  outcomeOf,
} from "./testing/twin.ts";

const FIXTURE_MODULES = {
  "./fixtures/app/_generated/api.js": async () => ({}),
  "./fixtures/app/items.ts": () => import("./fixtures/app/items.ts"),
};
const APP_MODULES = {
  "./app/convex/_generated/api.js": () => import("../../app/convex/_generated/api.js"),
  "./app/convex/leases.ts": () => import("../../app/convex/leases.ts"),
  "./app/convex/system.ts": () => import("../../app/convex/system.ts"),
};

/** Runs one call on both; returns whether it changed anything, for the caller's own bookkeeping. */
async function compare(backs: [Back, Back], step: Call, log: unknown[]): Promise<void> {
  const [expected, actual] = await Promise.all(
    backs.map(async (back) => {
      const outcome = await outcomeOf(back, step.kind, step.name, step.args(back.ids));
      const isNewId = step.kind === "mutation" && outcome.ok && typeof outcome.value === "string";
      if (isNewId && /:(insert|create|point)/.test(step.name))
        back.ids.push(outcome.value as string);
      return normalize(outcome, back.ids);
    }),
  );
  log.push({ call: step.name, ...(step.shown as object) });
  assert.deepEqual(
    actual,
    expected,
    `after ${JSON.stringify(log, (_k, v) => (typeof v === "bigint" ? `${v}n` : v))}`,
  );
}

async function allPages(back: Back, numItems: number, direction: string): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (let cursor: string | null = null, isDone = false; !isDone; ) {
    const paginationOpts: Args = { numItems, cursor };
    const page = (await back.run("query", "items:page", { paginationOpts, order: direction })) as {
      page: unknown[];
      isDone: boolean;
      continueCursor: string;
    };
    rows.push(...page.page);
    ({ isDone } = page);
    cursor = page.continueCursor;
  }
  return rows;
}

test("random calls of the fixture functions are answered as convex-test answers them", async (t) => {
  const convex = await host(t);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fixtureCall, { minLength: 10, maxLength: 40 }),
      fc.integer({ min: 1, max: 4 }),
      order,
      async (calls, numItems, direction) => {
        const back = hostBack(convex);
        for (const item of (await back.run("query", "items:all", { order: "asc" })) as Args[]) {
          await back.run("mutation", "items:remove", { id: item._id as string });
        }
        const backs: [Back, Back] = [convexTestBack(fixtureSchema, FIXTURE_MODULES), back];
        const log: unknown[] = [];
        for (const step of calls) await compare(backs, step, log);
        const [expected, actual] = await Promise.all(
          backs.map(async (b) => normalize(await allPages(b, numItems, direction), b.ids)),
        );
        assert.deepEqual(actual, expected);
      },
    ),
    { numRuns: 25, includeErrorInReport: true },
  );
});

test("random calls of the app's functions are answered as convex-test answers them", async (t) => {
  const convex = await startConvex();
  t.after(() => convex.close());
  const before = process.env.POLARIS_CONVEX_INTERNAL_KEY;
  process.env.POLARIS_CONVEX_INTERNAL_KEY = convex.internalKey;
  t.after(() => {
    if (before === undefined) delete process.env.POLARIS_CONVEX_INTERNAL_KEY;
    else process.env.POLARIS_CONVEX_INTERNAL_KEY = before;
  });
  await fc.assert(
    fc.asyncProperty(fc.array(appStep, { minLength: 15, maxLength: 50 }), async (steps) => {
      const backs: [Back, Back] = [convexTestBack(appSchema, APP_MODULES), hostBack(convex)];
      const made: Record<string, number[]> = { project: [], conversation: [], message: [] };
      const log: unknown[] = [];
      const prelude = [
        {
          kind: "mutation",
          name: "createProject",
          spec: { name: "p", ownerId: "o" },
          on: [],
          picks: [],
        },
        {
          kind: "mutation",
          name: "createConversation",
          spec: { title: "t" },
          on: ["project"],
          picks: [0],
        },
      ] as const;
      for (const step of [...prelude, ...steps]) {
        const refs: Record<string, number> = {};
        for (const [i, entity] of step.on.entries()) {
          const known = made[entity] as number[];
          const pick = known[(step.picks[i] ?? 0) % Math.max(known.length, 1)];
          // Nothing of the kind yet: an id of another table, which must be refused alike.
          refs[`${entity}Id`] = pick ?? 0;
        }
        const spec = { ...step.spec, internalKey: convex.internalKey } as Args;
        const count = backs[0].ids.length;
        await compare(backs, call(step.kind, `system:${step.name}`, spec, refs), log);
        const entity = /^create(Project|Conversation|Message)$/.exec(step.name)?.[1]?.toLowerCase();
        if (entity !== undefined && backs[0].ids.length > count) made[entity]?.push(count);
      }
    }),
    { numRuns: 25, includeErrorInReport: true },
  );
});

test("without a configured key every server function refuses with its own code", async () => {
  assert.equal(process.env.POLARIS_CONVEX_INTERNAL_KEY, undefined);
  const back = convexTestBack(appSchema, APP_MODULES);
  for (const internalKey of ["", "undefined"]) {
    const outcome = await outcomeOf(back, "query", "system:getMessageById", {
      internalKey,
      messageId: "x",
    });
    assert.deepEqual(outcome, { ok: false, code: "INTERNAL_KEY_NOT_CONFIGURED" });
  }
});

test("where production differs from convex-test, the host does as production does", async (t) => {
  const convex = await host(t);
  const admin = new Admin(convex);
  const theirs = () => convexTestBack(fixtureSchema, FIXTURE_MODULES);
  const ours = hostBack(convex);
  const accepted = async (back: Back, kind: Kind, name: string, args: Args) =>
    (await outcomeOf(back, kind, name, args)).ok;
  let deep: Value = 1;
  for (let i = 0; i < 16; i++) deep = [deep];
  const tooMuch: Record<string, Value> = {
    "a document over 1 MiB": "x".repeat(1024 * 1024),
    "an array of 8193 items": new Array<Value>(8193).fill(0),
    "17 levels of nesting": deep,
    "1025 fields": Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [`f${i}`, 1])),
  };
  for (const [name, document] of Object.entries(tooMuch)) {
    await t.test(`${name}: convex-test stores it, production refuses it`, async () => {
      assert.equal(await accepted(theirs(), "mutation", "items:insert", { value: document }), true);
      assert.equal(await accepted(ours, "mutation", "items:insert", { value: document }), false);
    });
  }

  await t.test(
    "the contents of records: convex-test does not check them, production does",
    async () => {
      const args = { ids: { a: "not an id" } };
      assert.equal(await accepted(theirs(), "query", "items:refs", args), true);
      assert.equal(await accepted(ours, "query", "items:refs", args), false);
    },
  );

  await t.test(
    "a wrong return value: convex-test has committed already, production rolls back",
    async () => {
      const other = theirs();
      for (const back of [other, ours]) {
        assert.equal(
          await accepted(back, "mutation", "items:wrongReturn", { tag: "wrong" }),
          false,
        );
      }
      const left = (back: Back) => back.run("query", "items:byTag", { tag: "wrong", order: "asc" });
      assert.equal(((await left(other)) as unknown[]).length, 1);
      assert.equal(((await left(ours)) as unknown[]).length, 0);
    },
  );

  await t.test(
    "ids: convex-test counts, production's are 32 random characters with a checksum",
    async () => {
      const [theirId, ourId] = await Promise.all(
        [theirs(), ours].map((back) => back.run("mutation", "items:insert", { value: 1 })),
      );
      assert.match(String(theirId), /^0{20}.*items$/);
      assert.match(String(ourId), /^[0-9a-hjkmnp-tv-z]{32}$/);
      assert.ok((await admin.table("items")).some((row) => row._id === ourId));
    },
  );

  await t.test(
    "the clock: convex-test's goes on inside a mutation, production's stands still",
    async () => {
      assert.equal(await httpClient(convex).mutation("items:clockStandsStill" as never, {}), true);
      assert.equal(await theirs().run("mutation", "items:clockStandsStill", {}), false);
    },
  );
});
