// Sign-in and billing with the real adapters, against servers that answer as Stack Auth and Autumn do:
// what is sent, in which order, and what a person gets to hear. And the sign-in of this machine.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ConvexHttpClient } from "convex/browser";
import { api } from "../../app/convex/_generated/api.js";
import { localAuth, localRefusal } from "../../app/src/auth/local.ts";
import { RequestCookies } from "../../app/src/http/cookies.ts";
import { DEMO_PROJECT_NAME } from "../../local/stack/demo-project.ts";
import { Autumn, StackServer } from "./fixtures/servers.ts";
import { type Asked, Site } from "./fixtures/site.ts";

const DESCRIPTION = "A shop for tea with a cart";

describe("Autumn", () => {
  let site: Site;
  let autumn: Autumn;
  before(async () => {
    [site, autumn] = await Promise.all([Site.start(), Autumn.start()]);
    process.env.AUTUMN_SECRET_KEY = "am_sk_test";
    process.env.AUTUMN_API_URL = autumn.url;
  });
  after(async () => {
    delete process.env.AUTUMN_SECRET_KEY;
    delete process.env.AUTUMN_API_URL;
    await Promise.all([site?.close(), autumn?.close()]);
  });
  beforeEach(() => {
    site.gate.reset();
    autumn.calls.length = 0;
    autumn.answer = () => [200, { allowed: true }];
  });

  const generate = (body: object = {}) =>
    site.ask("POST", "/api/projects/generate", {
      as: "anna",
      body: { description: DESCRIPTION, ...body },
    });

  it("is asked before a project is made, and told before its job is started", async () => {
    let rowsAtCheck: Record<string, number> | undefined;
    let triggersAtTrack: number | undefined;
    const before = await site.rows();
    autumn.answer = async (path) => {
      if (path === "track") triggersAtTrack = site.gate.triggers;
      else rowsAtCheck = await site.rows();
      return [200, { allowed: true }];
    };
    assert.equal((await generate()).status, 200);
    assert.deepEqual(
      autumn.calls.map(({ path, body }) => [path, body]),
      [
        ["check", { customer_id: "anna", feature_id: "projects" }],
        ["track", { customer_id: "anna", feature_id: "projects", value: 1 }],
      ],
    );
    const [{ headers } = { headers: {} as Record<string, string> }] = autumn.calls;
    assert.equal(headers.authorization, "Bearer am_sk_test");
    assert.equal(headers["x-api-version"], "1.2");
    assert.deepEqual(rowsAtCheck, before);
    assert.equal(triggersAtTrack, 0);
    assert.equal(site.gate.triggers, 1);
  });

  it("refuses with the numbers, and then nothing is made", async () => {
    const before = await site.rows();
    autumn.answer = () => [200, { allowed: false, usage: 10, included_usage: 10 }];
    const { status, body } = await generate();
    assert.equal(status, 403);
    assert.deepEqual(body, {
      error: "Project limit reached. Please upgrade to Pro for unlimited projects.",
      currentUsage: 10,
      limit: 10,
    });
    assert.deepEqual(await site.rows(), before);
    autumn.answer = () => [200, { allowed: false }];
    const { body: bare } = await generate();
    assert.deepEqual([bare.currentUsage, bare.limit], [0, 0]);
  });

  it("limits nothing where it has no such feature", async () => {
    autumn.answer = () => [404, { code: "feature_not_found", message: "Feature not found" }];
    assert.equal((await generate()).status, 200);
  });

  it("that is down or misconfigured is named in words, and then nothing is made", async () => {
    const before = await site.rows();
    autumn.answer = () => [500, { message: "internal" }];
    assert.equal((await generate()).status, 500);
    assert.equal((await generate()).body.error, "Failed to generate project");
    autumn.answer = () => [401, { code: "invalid_secret_key" }];
    const { status, body } = await generate();
    assert.equal(status, 500);
    assert.equal(body.error, "Billing service configuration error. Please contact support.");
    assert.match(String(body.details), /AUTUMN_SECRET_KEY/);
    assert.ok(!String(body.details).includes("am_sk_test"));
    assert.deepEqual(await site.rows(), before);
    autumn.answer = () => [500, {}];
    const limit = await site.ask("POST", "/api/projects/check-limit", { as: "anna" });
    assert.deepEqual(
      [limit.status, limit.body],
      [200, { allowed: true, currentUsage: 0, limit: 0 }],
    );
  });

  it("counts one project for a generation that is asked for twice, also at the limit", async () => {
    const once = await generate({ generationId: "asked-twice" });
    autumn.answer = () => [200, { allowed: false }];
    const again = await generate({ generationId: "asked-twice" });
    assert.deepEqual([again.status, again.body], [200, once.body]);
    assert.deepEqual(
      autumn.calls.map(({ path }) => path),
      ["check", "track"],
    );
  });

  it("keeps what a job that was not taken has cost: giving back is off", async () => {
    site.gate.refuses = true;
    assert.equal((await generate()).status, 502);
    assert.deepEqual(
      autumn.calls.map(({ path, body }) => [path, (body as { value?: number }).value]),
      [
        ["check", undefined],
        ["track", 1],
      ],
    );
  });

  it("lets a user who has paid have as many projects as the plan says, generated or empty", async () => {
    const create = (as: string) =>
      site.ask("POST", "/api/projects/create", { as, body: { name: "Empty" } });
    const limitOf = async (userId: string) => {
      const { url, adminKey } = site.stack.admin("convex");
      const rows = await fetch(`${url}/admin/tables?table=users`, {
        headers: { "x-polaris-admin": adminKey },
      });
      const users = (await rows.json()) as { stackUserId: string; projectLimit: number }[];
      return users.find(({ stackUserId }) => stackUserId === userId)?.projectLimit;
    };
    autumn.answer = () => [200, { allowed: true, usage: 0, included_usage: 2 }];
    for (let n = 0; n < 2; n++) assert.equal((await create("carl")).status, 200);
    assert.equal(await limitOf("carl"), 2);
    // Billing counts less than there is: it has the say.
    assert.equal((await create("carl")).status, 200);
    assert.equal(await limitOf("carl"), 3);

    autumn.answer = () => [200, { allowed: false, usage: 3, included_usage: 2 }];
    const refused = await create("carl");
    assert.equal(refused.status, 403);
    assert.deepEqual([refused.body.currentUsage, refused.body.limit], [3, 2]);
    assert.equal(await limitOf("carl"), 2);
    // Also past the route, by the functions that pages may call.
    const convex = await site.as("carl");
    await assert.rejects(convex.mutation(api.projects.create, { name: "Past billing" }));

    autumn.answer = () => [200, { allowed: true, unlimited: true, included_usage: null }];
    assert.equal((await create("carl")).status, 200);
    assert.equal(await limitOf("carl"), -1);
    autumn.answer = () => [
      200,
      { allowed: true, usage: 9, included_usage: 2, overage_allowed: true },
    ];
    assert.equal((await create("carl")).status, 200);
    assert.equal(await limitOf("carl"), -1);
    assert.deepEqual(
      autumn.calls.slice(-2).map(({ path, body }) => [path, (body as { value?: number }).value]),
      [
        ["check", undefined],
        ["track", 1],
      ],
    );
  });

  it("answers whether there is room, and counts one more", async () => {
    autumn.answer = () => [200, { allowed: true, usage: 3, included_usage: 10 }];
    const limit = await site.ask("POST", "/api/projects/check-limit", { as: "anna" });
    assert.deepEqual(limit.body, { allowed: true, currentUsage: 3, limit: 10 });
    const counted = await site.ask("PUT", "/api/projects/check-limit", { as: "anna" });
    assert.deepEqual(counted.body, { success: true });
    assert.equal(autumn.calls.at(-1)?.path, "track");
  });
});

describe("Stack Auth", () => {
  let site: Site;
  let stack: StackServer;
  before(async () => {
    stack = await StackServer.start();
    site = await Site.start({
      NEXT_PUBLIC_STACK_PROJECT_ID: stack.projectId,
      NEXT_PUBLIC_STACK_PUBLISHABLE_CLIENT_KEY: "pck_test",
      STACK_SECRET_SERVER_KEY: "ssk_test",
      STACK_API_URL: stack.url,
    });
  });
  after(() => Promise.all([site?.close(), stack?.close()]));

  const token = (cookie: string) => site.ask("GET", "/api/auth/token", { headers: { cookie } });
  const refreshCookie = () => `stack-refresh-${stack.projectId}`;

  it("signs in with a password; the token is one that Convex believes", async () => {
    const { email, password } = stack.user;
    const signedIn = await site.ask("POST", "/api/auth/sign-in", { body: { email, password } });
    assert.equal(signedIn.status, 200);
    const set = signedIn.headers.getSetCookie();
    assert.ok(set.length === 2 && set.every((line) => /HttpOnly; SameSite=Lax/.test(line)));
    const cookie = set.map((line) => line.split(";")[0]).join("; ");
    const { status, body } = await token(cookie);
    assert.equal(status, 200);
    assert.deepEqual(body.user, { id: stack.user.id, email });
    const convex = new ConvexHttpClient(site.stack.env.CONVEX_URL ?? "", { logger: false });
    convex.setAuth(String(body.token));
    const projectId = await convex.mutation(api.projects.create, { name: "Shop" });
    const project = await convex.query(api.projects.getById, { id: projectId });
    assert.equal(project.ownerId, stack.user.id);
    const asked: Asked = { headers: { cookie }, body: { description: DESCRIPTION } };
    assert.equal((await site.ask("POST", "/api/projects/generate", asked)).status, 200);
    const out = await site.ask("POST", "/api/auth/sign-out", { headers: { cookie }, body: {} });
    assert.ok(out.headers.getSetCookie().every((line) => line.includes("Max-Age=0")));
  });

  it("says so when the password is wrong", async () => {
    const body = { email: stack.user.email, password: "wrong" };
    const refused = await site.ask("POST", "/api/auth/sign-in", { body });
    assert.deepEqual([refused.status, refused.body], [401, { error: "Wrong e-mail or password." }]);
    assert.deepEqual(refused.headers.getSetCookie(), []);
  });

  it("takes the cookies of its own SDK, of any age", async () => {
    const access = encodeURIComponent(
      JSON.stringify([stack.refreshToken, await stack.token("stack-user-2")]),
    );
    assert.deepEqual((await token(`stack-access=${access}`)).body.user, {
      id: "stack-user-2",
      email: stack.user.email,
    });
    const json = encodeURIComponent(
      JSON.stringify({ refresh_token: stack.refreshToken, updated_at_millis: 1 }),
    );
    for (const cookie of [
      `${refreshCookie()}=${stack.refreshToken}`,
      `__Host-${refreshCookie()}--default=${json}`,
    ]) {
      assert.equal((await token(cookie)).status, 200, cookie);
    }
  });

  it("renews a token that is over, and keeps the new one", async () => {
    const over = JSON.stringify([stack.refreshToken, await stack.token(stack.user.id, "-1m")]);
    const cookie = `stack-access=${encodeURIComponent(over)}`;
    const before = stack.refreshes;
    const renewed = await token(cookie);
    assert.equal(renewed.status, 200);
    assert.equal(stack.refreshes, before + 1);
    const kept = renewed.headers.getSetCookie().map((line) => line.split(";")[0]);
    assert.equal((await token(kept.join("; "))).status, 200);
    assert.equal(stack.refreshes, before + 1);
  });

  it("lets nobody in with tokens of others", async () => {
    const other = await StackServer.start();
    try {
      const foreign = JSON.stringify(["refresh-x", await other.token()]);
      for (const cookie of [
        `stack-access=${encodeURIComponent(foreign)}`,
        "stack-access=nonsense",
        `${refreshCookie()}=stolen`,
        "",
      ]) {
        assert.equal((await token(cookie)).status, 401, cookie);
      }
      const body = { description: DESCRIPTION };
      const asked = await site.ask("POST", "/api/projects/generate", { body });
      assert.deepEqual([asked.status, asked.body], [401, { error: "Unauthorized" }]);
    } finally {
      await other.close();
    }
  });
});

describe("the developer of this machine", () => {
  let site: Site;
  before(async () => {
    site = await Site.start();
  });
  after(() => site?.close());

  it("is signed in, and Convex believes the token", async () => {
    const { body } = await site.ask("GET", "/api/auth/token");
    assert.deepEqual(body.user, { id: "local-developer", email: "developer@localhost" });
    const convex = new ConvexHttpClient(site.stack.env.CONVEX_URL ?? "", { logger: false });
    convex.setAuth(String(body.token));
    const own = await convex.query(api.projects.get, {});
    assert.deepEqual(
      own.map(({ name }) => name),
      [DEMO_PROJECT_NAME],
    );
  });

  it("is not there in production, unless the stack that made the key says so", async () => {
    const cookies = new RequestCookies(new Request("http://localhost/"));
    const { NODE_ENV, POLARIS_LOCAL_AUTH } = process.env;
    Object.assign(process.env, { NODE_ENV: "production" });
    try {
      assert.equal(localRefusal(), undefined);
      assert.ok((await localAuth().session(cookies)) !== undefined);
      delete process.env.POLARIS_LOCAL_AUTH;
      assert.match(localRefusal() ?? "", /not for production/);
      assert.equal(await localAuth().session(cookies), undefined);
    } finally {
      Object.assign(process.env, { POLARIS_LOCAL_AUTH });
      if (NODE_ENV === undefined) {
        delete (process.env as Record<string, string | undefined>).NODE_ENV;
      } else Object.assign(process.env, { NODE_ENV });
    }
    const key = process.env.POLARIS_LOCAL_AUTH_KEY;
    delete process.env.POLARIS_LOCAL_AUTH_KEY;
    assert.match(localRefusal() ?? "", /NEXT_PUBLIC_STACK_PROJECT_ID/);
    Object.assign(process.env, { POLARIS_LOCAL_AUTH_KEY: key });
  });
});
