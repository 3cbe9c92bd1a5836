// Scheduled functions and JWT identities, with the unmodified clients.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFunctionReference } from "convex/server";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import {
  freePort,
  host,
  httpClient,
  liveClient,
  temporaryFolder,
  Watched,
} from "./testing/harness.ts";

const query = (name: string) => makeFunctionReference<"query">(name);
const mutation = (name: string) => makeFunctionReference<"mutation">(name);

type Item = { value: unknown };

test("scheduled functions", async (t) => {
  const state = await temporaryFolder(t);
  const port = await freePort();
  const convex = await host(t, { state, port });
  const client = liveClient(t, convex);
  const watchJob = (id: string) => {
    const seen = new Watched<{ state: { kind: string; error?: string } }>();
    client.onUpdate(query("jobs:job"), { id }, seen.push);
    return seen;
  };
  const schedule = (tag: string, delayMs: number, byAction = false): Promise<string> =>
    client.mutation(mutation("jobs:schedule"), { tag, delayMs, byAction });
  const count = async (tag: string): Promise<number> =>
    ((await client.query(query("items:byTag"), { tag, order: "asc" })) as Item[]).length;

  await t.test("a mutation and an action run after the commit, and say so", async () => {
    for (const byAction of [false, true]) {
      const tag = `ran-${byAction}`;
      const job = watchJob(await schedule(tag, 0, byAction));
      await job.until((value) => value.state.kind === "success");
      assert.equal(await count(tag), 1);
    }
  });

  await t.test(
    "a mutation that throws schedules nothing; a job that throws has failed",
    async () => {
      await assert.rejects(client.mutation(mutation("jobs:scheduleThenThrow"), { tag: "never" }));
      const failed = await watchJob(await schedule("throws", 0)).until(
        (value) => value.state.kind === "failed",
      );
      assert.match(failed.state.error ?? "", /job failed/);
      assert.equal(await count("never"), 0);
    },
  );

  await t.test("a cancelled job does not run", async () => {
    const id = await schedule("cancelled", 3_600_000);
    await client.mutation(mutation("jobs:cancel"), { id });
    await watchJob(id).until((value) => value.state.kind === "canceled");
    assert.equal(await count("cancelled"), 0);
  });

  await t.test("a job that came due while the host was down runs after the restart", async () => {
    const id = await schedule("survives", 300);
    await convex.kill();
    const again = await host(t, { state, port });
    await watchJob(id).until((value) => value.state.kind === "success");
    assert.equal(await count("survives"), 1);
    await again.close();
  });
});

test("identities", async (t) => {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: "k", alg: "ES256", use: "sig" }] };
  const jwks = `data:text/plain;charset=utf-8;base64,${Buffer.from(JSON.stringify(keys)).toString("base64")}`;
  const convex = await host(t, { env: { TEST_JWKS: jwks } });
  const sign = (claims: Record<string, unknown>, key = privateKey, lifetime = "1h") =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", kid: "k" })
      .setIssuer("https://tests.example")
      .setAudience("polaris-tests")
      .setSubject("user-1")
      .setIssuedAt()
      .setExpirationTime(lifetime)
      .sign(key);
  const whoami = query("jobs:whoami");

  await t.test("a token's claims are the identity, over HTTP", async () => {
    const client = httpClient(convex);
    assert.equal(await client.query(whoami, {}), null);
    client.setAuth(await sign({ email: "a@b.c", given_name: "Ada", role: "owner" }));
    assert.deepEqual(await client.query(whoami, {}), {
      tokenIdentifier: "https://tests.example|user-1",
      issuer: "https://tests.example",
      subject: "user-1",
      email: "a@b.c",
      givenName: "Ada",
      role: "owner",
    });
  });

  await t.test("tokens that cannot be verified are refused with 401", async () => {
    const stranger = await generateKeyPair("ES256");
    const refused = {
      "another key": await sign({}, stranger.privateKey),
      "run out": await sign({}, privateKey, "-1h"),
      "another issuer": await new SignJWT({})
        .setProtectedHeader({ alg: "ES256" })
        .setIssuer("https://x.example")
        .sign(privateKey),
      "no token": "nonsense",
    };
    for (const [name, token] of Object.entries(refused)) {
      const client = httpClient(convex);
      client.setAuth(token);
      await assert.rejects(
        client.query(whoami, {}),
        /"code":"(InvalidAuthHeader|NoAuthProvider)"/,
        name,
      );
    }
  });

  await t.test("signing in and out runs the queries of a socket again", async () => {
    const client = liveClient(t, convex);
    const seen = new Watched<{ subject: string; n: number } | null>();
    client.onUpdate(whoami, {}, seen.push);
    await seen.until((identity) => identity === null);
    let signed = 0;
    client.setAuth(async () => await sign({ n: ++signed }));
    // The client confirms a first token by fetching a second one; only then is it at rest.
    await seen.until((identity) => identity?.n === 2);
    client.client.clearAuth();
    await client.mutation(mutation("items:clockStandsStill"), {});
    assert.equal(seen.values.at(-1), null);
  });

  await t.test("a refused token ends in an unauthenticated client, not in a loop", async () => {
    const client = liveClient(t, convex);
    const states = new Watched<boolean>();
    client.setAuth(async () => "nonsense.nonsense.nonsense", states.push);
    await states.until((isAuthenticated) => !isAuthenticated);
    assert.equal(await client.query(whoami, {}), null);
  });
});
