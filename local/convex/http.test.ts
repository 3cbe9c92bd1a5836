// The host over HTTP, with the unmodified ConvexHttpClient and with raw requests.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFunctionReference } from "convex/server";
import { ConvexError } from "convex/values";
import { Admin, errorCode, host, httpClient } from "./testing/harness.ts";

const query = (name: string) => makeFunctionReference<"query">(name);
const mutation = (name: string) => makeFunctionReference<"mutation">(name);
const action = (name: string) => makeFunctionReference<"action">(name);

interface Item {
  _id: string;
  _creationTime: number;
  value: unknown;
  tag?: string;
}

test("the host over HTTP", async (t) => {
  const convex = await host(t);
  const client = httpClient(convex);
  const admin = new Admin(convex);
  const byTag = async (tag: string): Promise<Item[]> =>
    await client.query(query("items:byTag"), { tag, order: "asc" });
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${convex.url}${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  await t.test("every kind of value comes back as it was sent", async () => {
    const bytes = new Uint8Array([0, 255]).buffer;
    const value = {
      big: -5n,
      neg: -0,
      nan: Number.NaN,
      inf: -Infinity,
      bytes,
      list: [null, true, "é😀\0"],
      o: {},
    };
    assert.deepEqual(await client.query(query("items:echo"), { value }), value);
    const id: string = await client.mutation(mutation("items:insert"), { value, tag: "values" });
    const stored: Item = await client.query(query("items:get"), { id });
    assert.deepEqual(stored.value, value);
    assert.match(id, /^[0-9a-hjkmnp-tv-z]{32}$/);
  });

  await t.test("patch merges and clears, replace replaces, delete deletes", async () => {
    const id = await client.mutation(mutation("items:insert"), { value: 1, tag: "edit", n: 1 });
    const { _creationTime } = (await client.query(query("items:get"), { id })) as Item;
    await client.mutation(mutation("items:patch"), { id, fields: { n: 2 }, clear: "tag" });
    const system = { _id: id, _creationTime };
    assert.deepEqual(await client.query(query("items:get"), { id }), { ...system, value: 1, n: 2 });
    await client.mutation(mutation("items:replace"), { id, fields: { value: 3 } });
    assert.deepEqual(await client.query(query("items:get"), { id }), { ...system, value: 3 });
    await client.mutation(mutation("items:remove"), { id });
    assert.equal(await client.query(query("items:get"), { id }), null);
    await assert.rejects(client.mutation(mutation("items:remove"), { id }), /nonexistent document/);
  });

  await t.test("a mutation that throws has written nothing", async () => {
    const code = await errorCode(
      client.mutation(mutation("items:insertThenThrow"), { tag: "thrown" }),
    );
    assert.equal(code, "ON_PURPOSE");
    assert.deepEqual(await byTag("thrown"), []);
  });

  await t.test("a nested mutation that throws takes only its own writes with it", async () => {
    const code = await client.mutation(mutation("items:nestedFailure"), { tag: "nested" });
    assert.equal(code, "ON_PURPOSE");
    assert.deepEqual(
      (await byTag("nested")).map((item) => item.value),
      ["before", "after"],
    );
  });

  await t.test("nested mutations started together do not disturb each other", async () => {
    const results = await client.mutation(mutation("items:nestedTogether"), { tag: "together" });
    assert.deepEqual(results, ["rejected", "fulfilled", "rejected", "fulfilled"]);
    assert.deepEqual((await byTag("together")).map((item) => item.value).sort(), [1, 2]);
  });

  await t.test("a wrong return value fails the mutation before it is committed", async () => {
    const call = client.mutation(mutation("items:wrongReturn"), { tag: "wrong" });
    await assert.rejects(call, /ReturnsValidationError/);
    assert.deepEqual(await byTag("wrong"), []);
  });

  await t.test("arguments and documents are checked", async () => {
    await assert.rejects(
      client.query(query("items:byTag"), { tag: 1, order: "asc" }),
      /ArgumentValidationError/,
    );
    await assert.rejects(
      client.query(query("items:byTag"), { order: "asc", more: 1 }),
      /extra field `more`/,
    );
    await assert.rejects(
      client.query(query("items:get"), { id: "nonsense" }),
      /ArgumentValidationError/,
    );
    const item = await client.mutation(mutation("items:insert"), { value: 1 });
    await client.mutation(mutation("items:point"), { kind: "a", item });
    await assert.rejects(
      client.mutation(mutation("items:point"), { kind: "c", item }),
      /does not match the schema/,
    );
    await assert.rejects(
      client.mutation(mutation("items:point"), { kind: "a", item: "x" }),
      /does not match the schema/,
    );
  });

  await t.test("limits of documents are those of production", async () => {
    const insert = (value: unknown) =>
      client.mutation(mutation("items:insert"), { value, tag: "limits" });
    await assert.rejects(
      insert("x".repeat(1024 * 1024)),
      /Value is too large \(1 MiB > maximum size 1 MiB\)/,
    );
    await assert.rejects(insert(new Array(8193).fill(0)), /Array length is too long/);
    let deep: unknown = 0;
    for (let i = 0; i < 16; i++) deep = [deep];
    await assert.rejects(insert(deep), /too nested/);
    const { body } = await post("/api/mutation", {
      path: "items:insert",
      args: [{ value: { $ref: 1 } }],
      format: "convex_encoded_json",
    });
    assert.equal(body.status, "error");
    assert.match(String(body.errorMessage), /Invalid arguments for items:insert/);
    assert.deepEqual(await byTag("limits"), []);
  });

  await t.test(
    "functions fail with status 200, and their text is passed on in development",
    async () => {
      const { status, body } = await post("/api/query", { path: "items:throwPlain", args: {} });
      assert.equal(status, 200);
      assert.equal(body.status, "error");
      assert.match(
        String(body.errorMessage),
        /^\[Request ID: [0-9a-f]{16}\] Server Error\nUncaught Error: plain text\n {4}at .*\(\.\.\/items\.ts:\d+:\d+\)\n$/,
      );
      const missing = await post("/api/query", { path: "items:nothing", args: {} });
      assert.equal(missing.status, 200);
      assert.match(
        String(missing.body.errorMessage),
        /Could not find public function for 'items:nothing'/,
      );
      const kind = await post("/api/query", { path: "items:insert", args: { value: 1 } });
      assert.match(String(kind.body.errorMessage), /as a query, but it is defined as a mutation/);
    },
  );

  await t.test(
    "internal functions cannot be called from outside, except with the admin key",
    async () => {
      const call = { path: "jobs:note", args: { tag: "internal" } };
      assert.match(
        String((await post("/api/mutation", call)).body.errorMessage),
        /Could not find public function/,
      );
      assert.deepEqual(await byTag("internal"), []);
      const wrong = await post("/api/mutation", call, { Authorization: "Convex wrong" });
      assert.equal(wrong.status, 401);
      const right = await post("/api/mutation", call, {
        Authorization: `Convex ${convex.adminKey}`,
      });
      assert.equal(right.body.status, "success");
    },
  );

  await t.test("what is wrong with a request is a status with code and message", async () => {
    const body = { path: "items:echo", args: { value: 1 } };
    const plain = await fetch(`${convex.url}/api/query`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    assert.deepEqual(
      [plain.status, ((await plain.json()) as { code: string }).code],
      [400, "BadJsonBody"],
    );
    for (const bad of [
      "{",
      "[]",
      { args: {} },
      { ...body, args: [1, 2] },
      '{"path":"items:echo","args":{"value":"\\ud800"}}',
    ]) {
      const { status, body: answer } = await post("/api/query", bad);
      assert.deepEqual([status, answer.code], [400, "BadJsonBody"], JSON.stringify(bad));
    }
    assert.equal((await post("/api/query", { ...body, format: "xml" })).status, 400);
    const large = await post("/api/query", {
      ...body,
      args: { value: "x".repeat(16 * 1024 * 1024 + 2000) },
    });
    assert.deepEqual([large.status, large.body.code], [400, "BadJsonBody"]);
    assert.equal((await post("/api/nothing", body)).status, 404);
    assert.equal((await fetch(`${convex.url}/api/mutation`)).status, 405);
  });

  await t.test("without a format values are clean JSON, with it they are encoded", async () => {
    const call = { path: "items:echo", args: [{ value: { i: { $integer: "BQAAAAAAAAA=" } } }] };
    assert.deepEqual((await post("/api/query", call)).body.value, { i: "5" });
    const encoded = await post("/api/query", { ...call, format: "convex_encoded_json" });
    assert.deepEqual(encoded.body.value, { i: { $integer: "BQAAAAAAAAA=" } });
    assert.deepEqual((await post("/api/run/items/echo", { args: { value: 1 } })).body.value, 1);
    const args = encodeURIComponent(JSON.stringify({ value: [1] }));
    const got = await fetch(`${convex.url}/api/query?path=items:echo&args=${args}`);
    assert.deepEqual(await got.json(), { status: "success", value: [1] });
  });

  await t.test("queries at one timestamp, in a batch, or by path", async () => {
    assert.deepEqual(await client.consistentQuery(query("items:echo"), { value: 1 }), 1);
    const { body } = await post("/api/query_batch", {
      queries: [call("items:echo", { value: 1 }), call("items:throwPlain", {})],
    });
    const results = body.results as { status: string }[];
    assert.deepEqual(
      results.map((result) => result.status),
      ["success", "error"],
    );
    function call(path: string, args: object) {
      return { path, args };
    }
  });

  await t.test("log lines come with the reply", async () => {
    const { body } = await post("/api/query", { path: "items:logs", args: {} });
    assert.deepEqual(body.logLines, ["[LOG] 'hello' { a: 1 }", "[ERROR] 'careful'"]);
  });

  await t.test("queries and mutations have no network, no timers, and one time", async () => {
    for (const what of ["fetch", "setTimeout"]) {
      await assert.rejects(
        client.query(query("items:forbidden"), { what }),
        /in queries and mutations/,
      );
    }
    assert.equal(await client.mutation(mutation("items:clockStandsStill"), {}), true);
    assert.equal(
      await client.action(action("jobs:fetchByAction"), { url: `${convex.url}/version` }),
      200,
    );
  });

  await t.test(
    "a promise that a function forgot writes nothing and takes nobody down",
    async () => {
      await client.mutation(mutation("items:forgets"), {});
      await client.mutation(mutation("items:clockStandsStill"), {});
      assert.deepEqual(await byTag("forgotten"), []);
    },
  );

  await t.test("an action calls queries and internal mutations", async () => {
    assert.equal(await client.action(action("jobs:countByAction"), { tag: "action" }), 1);
  });

  await t.test("files are stored, served, uploaded and deleted", async () => {
    const stored = await client.action(action("jobs:store"), { text: "file text" });
    const { id, url } = stored as { id: string; url: string };
    const response = await fetch(url);
    assert.equal(response.headers.get("content-type"), "text/plain");
    assert.equal(await response.text(), "file text");
    const uploadUrl: string = await client.mutation(mutation("jobs:uploadUrl"), {});
    const upload = await fetch(uploadUrl, {
      method: "POST",
      body: "more",
      headers: { "Content-Type": "text/x" },
    });
    const { storageId } = (await upload.json()) as { storageId: string };
    assert.equal((await admin.table("_storage")).length, 2);
    assert.equal((await fetch(uploadUrl, { method: "POST", body: "again" })).status, 403);
    for (const each of [id, storageId])
      await client.mutation(mutation("jobs:removeStored"), { id: each });
    assert.equal((await fetch(url)).status, 404);
  });

  await t.test("pages of this machine may call, others get no CORS headers", async () => {
    const allowed = async (origin: string) =>
      (await fetch(`${convex.url}/version`, { headers: { Origin: origin } })).headers.get(
        "access-control-allow-origin",
      );
    assert.equal(await allowed("http://localhost:3000"), "http://localhost:3000");
    assert.equal(await allowed("https://evil.example"), null);
  });

  await t.test("the admin pages need the admin key", async () => {
    const answer = await fetch(`${convex.url}/admin/log`);
    assert.equal(answer.status, 403);
    assert.equal(
      (await fetch(`${convex.url}/admin/log`, { headers: { "x-polaris-admin": "x" } })).status,
      403,
    );
  });

  await t.test("the log says what was called and what it changed, without arguments", async () => {
    const since = (await admin.log()).at(-1)?.seq ?? 0;
    const id = await client.mutation(mutation("items:insert"), {
      value: "secret text",
      tag: "log",
    });
    await errorCode(client.mutation(mutation("items:insertThenThrow"), { tag: "log" }));
    const entries = await admin.log(since);
    const [first, second] = entries;
    assert.equal(entries.length, 2);
    assert.deepEqual(
      [first?.path, first?.kind, first?.ok, first?.documentsChanged],
      ["items:insert", "mutation", true, [id]],
    );
    assert.deepEqual(
      [second?.ok, second?.errorCode, second?.documentsChanged],
      [false, "ON_PURPOSE", []],
    );
    assert.ok(!JSON.stringify(entries).includes("secret text"));
  });

  await t.test("faults: refused, slow, and a reply lost after the commit", async () => {
    const insert = () => client.mutation(mutation("items:insert"), { value: 1, tag: "faults" });
    await admin.faults([{ path: "items:ins*", status: 503, count: 1, retryAfter: 2 }]);
    const refused = await fetch(`${convex.url}/api/mutation`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ path: "items:insert", args: { value: 1, tag: "faults" } }),
    });
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "2"]);
    assert.deepEqual(await byTag("faults"), []);
    await insert();
    assert.equal((await byTag("faults")).length, 1);
    await admin.faults([{ path: "items:insert", dropReplyRate: 1, count: 1 }]);
    await assert.rejects(insert());
    assert.equal((await byTag("faults")).length, 2);
    await admin.faults([{ kind: "mutation", latencyMs: 80 }]);
    const since = (await admin.log()).at(-1)?.seq ?? 0;
    await insert();
    const [slow] = await admin.log(since);
    assert.ok((slow?.ms ?? 0) >= 79, `took ${slow?.ms} ms`);
    await admin.faults([{ path: "items:insert", hold: true }]);
    let isDone = false;
    const held = insert().then(() => {
      isDone = true;
    });
    await admin.held("items:insert");
    assert.equal(isDone, false);
    await admin.faults([]);
    await held;
    await assert.rejects(admin.faults([{ sttaus: 503 }]), /sttaus/);
  });
});

test("redacted, as in production, only the data of a ConvexError reach a client", async (t) => {
  const convex = await host(t, { redact: true });
  const client = httpClient(convex);
  const message = async (call: Promise<unknown>): Promise<string> =>
    await call.then(
      () => "did not fail",
      (error: Error) => (error instanceof ConvexError ? JSON.stringify(error.data) : error.message),
    );
  assert.match(
    await message(client.query(query("items:throwPlain"), {})),
    /^\[Request ID: [0-9a-f]{16}\] Server Error$/,
  );
  assert.match(await message(client.query(query("items:echo"), {})), /Server Error$/);
  const coded = await message(client.mutation(mutation("items:insertThenThrow"), { tag: "x" }));
  assert.deepEqual(JSON.parse(coded), { code: "ON_PURPOSE", message: "rolled back" });
});
