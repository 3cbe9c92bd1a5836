// The host over the sync websocket, with the unmodified ConvexClient, and its restarts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFunctionReference } from "convex/server";
import { WebSocket } from "ws";
import { splitText } from "./server/sync-messages.ts";
import {
  Admin,
  freePort,
  host,
  httpClient,
  liveClient,
  temporaryFolder,
  Watched,
} from "./testing/harness.ts";

const query = (name: string) => makeFunctionReference<"query">(name);
const mutation = (name: string) => makeFunctionReference<"mutation">(name);
const action = (name: string) => makeFunctionReference<"action">(name);

type Item = { value: unknown };

test("live queries", async (t) => {
  const convex = await host(t);
  const client = liveClient(t, convex);
  const other = httpClient(convex);
  const admin = new Admin(convex);
  const insert = (tag: string, value: unknown) =>
    other.mutation(mutation("items:insert"), { tag, value });

  await t.test("a live query shows every state that a writer waits for, in order", async () => {
    const seen = new Watched<Item[]>();
    client.onUpdate(query("items:byTag"), { tag: "live", order: "asc" }, seen.push);
    await seen.until((items) => items.length === 0);
    for (let n = 1; n <= 5; n++) {
      await insert("live", n);
      await seen.until((items) => items.length === n);
    }
    assert.deepEqual(
      seen.values.map((items) => items.length),
      [0, 1, 2, 3, 4, 5],
    );
  });

  await t.test("it is not run again by writes that it did not read", async () => {
    const seen = new Watched<Item[]>();
    client.onUpdate(query("items:byTag"), { tag: "quiet", order: "asc" }, seen.push);
    await seen.until(() => true);
    const since = (await admin.log()).at(-1)?.seq ?? 0;
    await insert("loud", 1);
    await insert("quiet", 1);
    await seen.until((items) => items.length === 1);
    const runs = (await admin.log(since)).filter((entry) => entry.live);
    assert.equal(runs.length, 1);
  });

  await t.test("one run serves all sockets that watch the same", async () => {
    const all = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const seen = new Watched<Item[]>();
        liveClient(t, convex).onUpdate(
          query("items:byTag"),
          { tag: "shared", order: "asc" },
          seen.push,
        );
        await seen.until(() => true);
        return seen;
      }),
    );
    const since = (await admin.log()).at(-1)?.seq ?? 0;
    await insert("shared", 1);
    await Promise.all(all.map((seen) => seen.until((items) => items.length === 1)));
    const runs = (await admin.log(since)).filter((entry) => entry.live);
    assert.equal(runs.length, 1);
  });

  await t.test("a mutation resolves when its own client sees what it wrote", async () => {
    const seen = new Watched<Item[]>();
    client.onUpdate(query("items:byTag"), { tag: "own", order: "asc" }, seen.push);
    await seen.until(() => true);
    await client.mutation(mutation("items:insert"), { tag: "own", value: 1 });
    assert.equal(seen.values.at(-1)?.length, 1);
    // Nothing that this client watches changes: the (empty) Transition must come all the same.
    await client.mutation(mutation("items:insert"), { tag: "unwatched", value: 1 });
    await client.mutation(mutation("items:clockStandsStill"), {});
  });

  await t.test("mutations of one client run in the order in which they were made", async () => {
    const many = Array.from({ length: 20 }, (_, value) =>
      client.mutation(mutation("items:insert"), { tag: "order", value }),
    );
    await Promise.all(many);
    const items: Item[] = await client.query(query("items:byTag"), { tag: "order", order: "asc" });
    assert.deepEqual(
      items.map((item) => item.value),
      many.map((_, n) => n),
    );
  });

  await t.test("errors keep their data, over queries, mutations and actions", async () => {
    const failed = new Watched<Error>();
    client.onUpdate(query("items:throwPlain"), {}, () => undefined, failed.push);
    assert.match((await failed.until(() => true)).message, /plain text/);
    await assert.rejects(
      client.mutation(mutation("items:insertThenThrow"), { tag: "x" }),
      (error: { data?: { code?: string } }) => {
        assert.equal(error.data?.code, "ON_PURPOSE");
        return true;
      },
    );
    await assert.rejects(
      client.action(action("jobs:noteByAction"), { tag: "x" }),
      /Could not find public function/,
    );
    assert.equal(await client.action(action("jobs:countByAction"), { tag: "ws-action" }), 1);
  });

  await t.test("a page keeps its end while rows come and go in it", async () => {
    for (let n = 0; n < 3; n++)
      await other.mutation(mutation("items:insert"), { tag: "page", value: n });
    const opts = { numItems: 2, cursor: null, id: 1 };
    const seen = new Watched<{ page: Item[]; continueCursor: string }>();
    client.onUpdate(query("items:page"), { paginationOpts: opts, order: "desc" }, seen.push);
    const first = await seen.until(() => true);
    assert.equal(first.page.length, 2);
    await insert("page", "new");
    const grown = await seen.until(({ page }) => page.length === 3);
    assert.equal(grown.continueCursor, first.continueCursor);
  });

  await t.test("a result larger than one message arrives in parts", async () => {
    const part = `é😀${"x".repeat(900_000)}`;
    for (let n = 0; n < 7; n++) await insert("large", part);
    const items: Item[] = await client.query(query("items:byTag"), { tag: "large", order: "asc" });
    assert.deepEqual(
      items.map((item) => item.value),
      new Array(7).fill(part),
    );
  });

  await t.test("the address of the Rust client works, others do not", async () => {
    const open = (path: string, origin?: string) =>
      new Promise<boolean>((resolve) => {
        const socket = new WebSocket(
          `${convex.url.replace("http", "ws")}${path}`,
          origin ? { origin } : {},
        );
        socket.on("error", () => resolve(false));
        socket.on("open", () => {
          socket.close();
          resolve(true);
        });
      });
    assert.equal(await open("/api/sync"), true);
    assert.equal(await open("/api/1.48.0/sync", "http://localhost:3000"), true);
    assert.equal(await open("/api/1.48.0/sync", "https://evil.example"), false);
    assert.equal(await open("/sync"), false);
  });
});

test("on the wire every Transition begins where the last one ended", async (t) => {
  const convex = await host(t);
  const client = httpClient(convex);
  const socket = new WebSocket(`${convex.url.replace("http", "ws")}/api/sync`);
  t.after(() => socket.terminate());
  type Version = { querySet: number; identity: number; ts: string };
  type Message = {
    type: string;
    startVersion: Version;
    endVersion: Version;
    modifications: { type: string; queryId: number; value?: Item[] }[];
    ts: string;
    error?: string;
  };
  const seen = new Watched<Message>();
  socket.on("message", (data) => seen.push(JSON.parse(String(data)) as Message));
  await new Promise((resolve) => socket.once("open", resolve));
  const send = (message: object) => socket.send(JSON.stringify(message));
  const transition = async (n: number): Promise<Message> => {
    const all = () => seen.values.filter(({ type }) => type === "Transition");
    await seen.until(() => all().length >= n);
    return all()[n - 1] as Message;
  };
  const time = (ts: string) => Buffer.from(ts, "base64").readBigUInt64LE();
  const add = (queryId: number, tag: string) => ({
    type: "Add",
    queryId,
    udfPath: "items:byTag",
    args: [{ tag, order: "asc" }],
  });
  const zero = Buffer.alloc(8).toString("base64");

  send({ type: "Connect", sessionId: "s", connectionCount: 0, lastCloseReason: null, clientTs: 0 });
  send({
    type: "ModifyQuerySet",
    baseVersion: 0,
    newVersion: 1,
    modifications: [add(0, "w"), add(1, "v")],
  });
  const first = await transition(1);
  assert.deepEqual(first.startVersion, { querySet: 0, identity: 0, ts: zero });
  assert.deepEqual([first.endVersion.querySet, first.endVersion.identity], [1, 0]);
  assert.deepEqual(
    first.modifications.map(({ type, queryId }) => [type, queryId]),
    [
      ["QueryUpdated", 0],
      ["QueryUpdated", 1],
    ],
  );

  // Over 5 MB, but this client's address does not say that it takes parts.
  for (let n = 0; n < 6; n++)
    await client.mutation(mutation("items:insert"), { tag: "x", value: "y".repeat(900_000) });
  send({
    type: "ModifyQuerySet",
    baseVersion: 1,
    newVersion: 2,
    modifications: [add(2, "x"), { type: "Remove", queryId: 1 }],
  });
  const second = await transition(2);
  assert.deepEqual(second.startVersion, first.endVersion);
  assert.deepEqual(
    second.modifications.map(({ type, queryId }) => [type, queryId]),
    [
      ["QueryRemoved", 1],
      ["QueryUpdated", 2],
    ],
  );
  assert.equal(second.modifications[1]?.value?.length, 6);

  send({ type: "Mutation", requestId: 7, udfPath: "items:insert", args: [{ tag: "w", value: 1 }] });
  const third = await transition(3);
  const response = seen.values.find(({ type }) => type === "MutationResponse");
  assert.ok(response !== undefined && time(third.endVersion.ts) >= time(response.ts));
  assert.deepEqual(
    third.modifications.map(({ queryId }) => queryId),
    [0],
  );
  // The same request again is answered from memory, and nothing is written twice.
  send({ type: "Mutation", requestId: 7, udfPath: "items:insert", args: [{ tag: "w", value: 1 }] });
  const fourth = await transition(4);
  assert.deepEqual(fourth.modifications, []);
  const answers = seen.values.filter(({ type }) => type === "MutationResponse");
  assert.deepEqual(answers[0], answers[1]);

  send({ type: "ModifyQuerySet", baseVersion: 9, newVersion: 10, modifications: [] });
  const fatal = await seen.until(({ type }) => type === "FatalError");
  assert.match(fatal.error ?? "", /Base version 9/);
});

test("text is cut between characters only", () => {
  assert.deepEqual(splitText("ab😀cd", 3), ["ab", "😀c", "d"]);
  assert.equal(splitText("x😀y".repeat(100), 7).join(""), "x😀y".repeat(100));
});

test("two hosts cannot share a state folder", async (t) => {
  const state = await temporaryFolder(t);
  const first = await host(t, { state });
  await assert.rejects(host(t, { state }), /is in use by another Convex host/);
  await first.close();
  await host(t, { state });
});

test("a killed host that is started again goes on where it was", async (t) => {
  const state = await temporaryFolder(t);
  const port = await freePort();
  const first = await host(t, { state, port });
  const client = liveClient(t, first);
  const seen = new Watched<Item[]>();
  client.onUpdate(query("items:byTag"), { tag: "kept", order: "asc" }, seen.push);
  await client.mutation(mutation("items:insert"), { tag: "kept", value: 1 });
  await seen.until((items) => items.length === 1);
  // The reply to this one is lost, and the host dies: the client asks again on its own.
  await new Admin(first).faults([{ path: "items:insert", dropReplyRate: 1 }]);
  const pending = client.mutation(mutation("items:insert"), { tag: "kept", value: 2 });
  await new Admin(first).seen(0, (entry) => entry.dropped === true);
  await first.kill();

  const second = await host(t, { state, port });
  assert.equal(second.adminKey, first.adminKey);
  assert.equal(second.internalKey, first.internalKey);
  await pending;
  await client.mutation(mutation("items:insert"), { tag: "kept", value: 3 });
  const items = await seen.until((values) => values.length === 3);
  assert.deepEqual(
    items.map((item) => item.value),
    [1, 2, 3],
  );
});
