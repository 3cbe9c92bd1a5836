// Follows the log of a stand-in by its long poll and keeps what came, for many waiters at once: one
// reader per log, however many runs are looked at.

import type { Admin } from "../end-to-end/fixtures/servers.ts";

interface Entry {
  seq: number;
}

const LONG_POLL_MS = 5_000;
const AGAIN_MS = 100;

export class Feed<T extends Entry> {
  readonly entries: T[] = [];
  readonly #waiting = new Set<() => void>();
  /** One per request: they stay with a request until it is collected. */
  #request = new AbortController();
  #closed = false;
  readonly #field: string;
  readonly #done: Promise<void>;

  /** @param field of the answer that has the entries */
  constructor(admin: () => Admin, field: string) {
    this.#field = field;
    this.#done = this.#follow(admin);
  }

  get newest(): number {
    return this.entries.at(-1)?.seq ?? 0;
  }

  /** The first entry that fits, now or later. */
  async until(what: string, fits: (entry: T) => boolean, withinMs: number): Promise<T> {
    let looked = 0;
    const look = (): T | undefined => {
      for (; looked < this.entries.length; looked++) {
        const entry = this.entries[looked];
        if (entry !== undefined && fits(entry)) return entry;
      }
      return undefined;
    };
    return await new Promise<T>((settle, fail) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(again);
        fail(new Error(`not within ${withinMs} ms: ${what}`));
      }, withinMs);
      const again = (): void => {
        const found = look();
        if (found === undefined) return;
        clearTimeout(timer);
        this.#waiting.delete(again);
        settle(found);
      };
      this.#waiting.add(again);
      again();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#request.abort();
    await this.#done;
  }

  async #follow(admin: () => Admin): Promise<void> {
    while (!this.#closed) {
      try {
        this.#request = new AbortController();
        const { signal } = this.#request;
        const { url, adminKey } = admin();
        const path = `/admin/log?since=${this.newest}&wait=${LONG_POLL_MS}`;
        const headers = { "x-polaris-admin": adminKey };
        const response = await fetch(url + path, { headers, signal });
        const answer = (await response.json()) as Record<string, T[]>;
        const news = answer[this.#field] ?? [];
        if (news.length === 0) continue;
        this.entries.push(...news);
        for (const again of [...this.#waiting]) again();
      } catch {
        if (this.#closed) return;
        await new Promise((settle) => setTimeout(settle, AGAIN_MS));
      }
    }
  }
}
