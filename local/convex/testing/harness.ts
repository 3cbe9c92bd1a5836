// What the host's tests share: hosts that end with their test, clients, and waiting for a condition
// without guessing times.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { type Convex, type ConvexOptions, startConvex } from "../index.ts";
import type { CallEntry } from "../server/call-log.ts";

export const FIXTURES = fileURLToPath(new URL("../fixtures/app", import.meta.url));

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "convex-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A host over the fixture functions, closed with the test. */
export async function host(t: TestContext, options: ConvexOptions = {}): Promise<Convex> {
  const convex = await startConvex({ functions: FIXTURES, ...options });
  t.after(() => convex.close());
  return convex;
}

export function httpClient(convex: Convex): ConvexHttpClient {
  return new ConvexHttpClient(convex.url, { logger: false });
}

export function liveClient(t: TestContext, convex: Convex): ConvexClient {
  const client = new ConvexClient(convex.url, { logger: false });
  t.after(() => client.close());
  return client;
}

/** Collects the values of a live query and waits for those that satisfy a condition. */
export class Watched<T> {
  readonly values: T[] = [];
  #waiting: { accept: (value: T) => boolean; resolve: (value: T) => void }[] = [];

  readonly push = (value: T): void => {
    this.values.push(value);
    this.#waiting = this.#waiting.filter(({ accept, resolve }) => {
      if (!accept(value)) return true;
      resolve(value);
      return false;
    });
  };

  /** The first value, now or later, that is accepted. */
  until(accept: (value: T) => boolean): Promise<T> {
    const known = this.values.find(accept);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => this.#waiting.push({ accept, resolve }));
  }
}

export class Admin {
  readonly #convex: Convex;

  constructor(convex: Convex) {
    this.#convex = convex;
  }

  /** With `wait` (milliseconds), as soon as there is an entry. */
  async log(since = 0, wait = 0): Promise<CallEntry[]> {
    const path = `log?since=${since}&wait=${wait}`;
    const { entries } = (await this.#get(path)) as { entries: CallEntry[] };
    return entries;
  }

  /** The first entry after `since`, now or later, that is accepted. */
  async seen(since: number, accept: (entry: CallEntry) => boolean): Promise<CallEntry> {
    for (let last = since; ; ) {
      const entries = await this.log(last, 10_000);
      const found = entries.find(accept);
      if (found !== undefined) return found;
      last = entries.at(-1)?.seq ?? last;
    }
  }

  async table(name: string): Promise<Record<string, unknown>[]> {
    return (await this.#get(`tables?table=${name}`)) as Record<string, unknown>[];
  }

  async faults(rules: object[]): Promise<void> {
    const response = await fetch(`${this.#convex.url}/admin/faults`, {
      method: "POST",
      headers: this.#headers(),
      body: JSON.stringify({ rules }),
    });
    if (!response.ok) throw new Error(await response.text());
  }

  /** A call of this function is kept waiting by a rule. */
  async held(path: string): Promise<void> {
    for (let since = 0; ; ) {
      const found = (await this.#get(`log?since=${since}&wait=1000`)) as {
        seq: number;
        held: { path: string }[];
      };
      if (found.held.some((call) => call.path === path)) return;
      since = found.seq;
    }
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(`${this.#convex.url}/admin/${path}`, { headers: this.#headers() });
    if (!response.ok) throw new Error(await response.text());
    return await response.json();
  }

  #headers(): Record<string, string> {
    return { "x-polaris-admin": this.#convex.adminKey };
  }
}

/** The data of the ConvexError that a promise fails with. */
export async function errorCode(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    const { data } = error as { data?: { code?: string } };
    if (data?.code !== undefined) return data.code;
    throw error;
  }
  throw new Error("did not fail");
}

/** For a host that must come back at the same address. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
