// What a command changed in a project, written back by system:applyFileChanges: each file only where
// nobody else has changed it, and with the same end however often it is asked.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionArgs } from "convex/server";
import { api } from "../../app/convex/_generated/api.js";
import { startConvex } from "./index.ts";
import { errorCode } from "./testing/harness.ts";
import { World } from "./testing/world.ts";

const { system } = api;
type Args = FunctionArgs<typeof system.applyFileChanges>;

test("what a command changed is written back", async (t) => {
  const convex = await startConvex();
  t.after(() => convex.close());
  const world = new World(convex);
  const { client, key } = world;
  const where = await world.conversation();
  const { projectId } = where;
  const apply = (changes: Args["changes"], guard?: Args["guard"]) =>
    client.mutation(system.applyFileChanges, {
      ...key,
      projectId,
      changes,
      ...(guard === undefined ? {} : { guard }),
    });
  const write = async (path: string, content: string) =>
    (await client.mutation(system.writeFileByPath, { ...key, projectId, path, content })).updatedAt;
  const read = async (path: string) => {
    const found = await client.query(system.readFileByPath, { ...key, projectId, path });
    return found?.kind === "file" ? found.content : found;
  };
  const version = async () =>
    (
      await client.query(system.listProjectFilesPage, {
        ...key,
        projectId,
        cursor: null,
        unless: -1,
      })
    ).updatedAt;
  const outcomes = async (changes: Args["changes"]) =>
    (await apply(changes)).outcomes.map(({ outcome }) => outcome);

  await t.test("new, changed and deleted files are one change of the project", async () => {
    const changed = await write("changed.ts", "old");
    const deleted = await write("deleted.ts", "old");
    const before = await version();
    const change = await apply([
      { path: "deleted.ts", base: deleted },
      { path: "changed.ts", base: changed, content: "new" },
      { path: "deep/er/new.ts", base: null, content: "" },
    ]);
    assert.deepEqual(
      change.outcomes.map(({ outcome }) => outcome),
      ["applied", "applied", "applied"],
    );
    assert.equal(change.before, before);
    assert.ok(change.updatedAt > before);
    assert.equal(await version(), change.updatedAt);
    assert.deepEqual(
      [await read("changed.ts"), await read("deleted.ts"), await read("deep/er/new.ts")],
      ["new", null, ""],
    );
  });

  await t.test("asked twice, it has the effect of once", async () => {
    const base = await write("twice.ts", "old");
    const gone = await write("gone.ts", "old");
    const changes = [
      { path: "gone.ts", base: gone },
      { path: "twice.ts", base, content: "new" },
      { path: "fresh.ts", base: null, content: "fresh" },
    ];
    const first = await apply(changes);
    const rows = await world.admin.table("files");
    const again = await apply(changes);
    assert.deepEqual(again.outcomes, first.outcomes);
    assert.equal(again.before, again.updatedAt, "nothing was changed");
    assert.equal(again.updatedAt, first.updatedAt);
    assert.deepEqual(await world.admin.table("files"), rows);
  });

  await t.test(
    "a file that a person saved in between is kept, whatever the command did",
    async () => {
      const bases = [
        await write("a.ts", "old"),
        await write("b.ts", "old"),
        await write("c.ts", "old"),
      ];
      await write("a.ts", "person");
      await write("b.ts", "person");
      await client.mutation(system.deleteFileByPath, { ...key, projectId, path: "c.ts" });
      await write("d.ts", "person");
      assert.deepEqual(
        await outcomes([
          { path: "b.ts", base: bases[1] ?? 0 },
          { path: "a.ts", base: bases[0] ?? 0, content: "command" },
          { path: "c.ts", base: bases[2] ?? 0, content: "command" },
          { path: "d.ts", base: null, content: "command" },
          { path: "e.ts", base: null, content: "command" },
        ]),
        ["conflict", "conflict", "conflict", "conflict", "applied"],
      );
      assert.deepEqual(
        [await read("a.ts"), await read("b.ts"), await read("c.ts"), await read("d.ts")],
        ["person", "person", null, "person"],
      );
      assert.equal(await read("e.ts"), "command");
    },
  );

  await t.test("a person who saved the same text is no conflict", async () => {
    const base = await write("same.ts", "old");
    await write("same.ts", "new");
    assert.deepEqual(await outcomes([{ path: "same.ts", base, content: "new" }]), ["applied"]);
  });

  await t.test(
    "what cannot be written is refused with its reason; the others are written",
    async () => {
      const base = await write("file.ts", "old");
      await write("folder/inner.ts", "x");
      const { outcomes } = await apply([
        { path: "../outside.ts", base: null, content: "x" },
        { path: "file.ts/below.ts", base: null, content: "x" },
        { path: "folder", base: null, content: "x" },
        { path: "big.ts", base: null, content: "x".repeat(1024 * 1024) },
        { path: "file.ts", base, content: "new" },
      ]);
      assert.deepEqual(
        outcomes.map(({ outcome }) => outcome),
        ["refused", "refused", "refused", "refused", "applied"],
      );
      for (const { outcome, reason } of outcomes) {
        assert.equal(outcome === "refused", typeof reason === "string" && reason.length > 0);
      }
      assert.deepEqual([await read("file.ts"), await read("big.ts")], ["new", null]);
      assert.equal(await read("folder/inner.ts"), "x");
    },
  );

  await t.test("a folder is never deleted in a file's place", async () => {
    const base = await write("turned.ts", "old");
    await client.mutation(system.deleteFileByPath, { ...key, projectId, path: "turned.ts" });
    await write("turned.ts/inner.ts", "person");
    assert.deepEqual(await outcomes([{ path: "turned.ts", base }]), ["conflict"]);
    assert.equal(await read("turned.ts/inner.ts"), "person");
  });

  await t.test(
    "an attempt that another one has replaced, or whose message ended, writes nothing",
    async () => {
      const messageId = await world.add(where, "assistant", "", "processing");
      const begin = async (attempt: number) => {
        const run = { ...key, messageId, runId: "run_1", attempt, resume: true };
        const { seq = 0 } = await client.mutation(system.beginMessage, run);
        return { messageId, seq };
      };
      const old = await begin(1);
      await apply([{ path: "guarded.ts", base: null, content: "first" }], old);
      const base = await version();
      const second = await begin(2);
      const change = (content: string) => [{ path: "guarded.ts", base, content }];
      assert.equal(await errorCode(apply(change("late"), old)), "SUPERSEDED");
      assert.equal(await read("guarded.ts"), "first");
      await apply(change("second"), second);
      assert.equal(await read("guarded.ts"), "second");
      await client.mutation(system.updateMessageContent, {
        ...key,
        messageId,
        content: "",
        status: "cancelled",
      });
      assert.equal(
        await errorCode(apply([{ path: "late.ts", base: null, content: "x" }], second)),
        "SUPERSEDED",
      );
      assert.equal(await read("late.ts"), null);
    },
  );
});
