// How tests and commands talk to the admin API of a running scripted model.

import type { LogEntry, RequestRecord } from "./log.ts";
import type { ScriptInput } from "./script.ts";

export interface WaitOptions {
  type?: string;
  requestId?: string;
  contains?: string;
  deltas?: number;
  count?: number;
  since?: number;
  timeout?: number;
}

export class ModelAdmin {
  readonly #url: string;
  readonly #adminKey: string;

  constructor(model: { url: string; adminKey: string }) {
    this.#url = model.url;
    this.#adminKey = model.adminKey;
  }

  async script(script: ScriptInput): Promise<string> {
    const { id } = await this.#call<{ id: string }>("POST", "/admin/scripts", script);
    return id;
  }

  async log(since = 0): Promise<LogEntry[]> {
    const found = await this.#call<{ entries: LogEntry[] }>("GET", `/admin/log?since=${since}`);
    return found.entries;
  }

  request(id: string): Promise<RequestRecord> {
    return this.#call("GET", `/admin/requests/${encodeURIComponent(id)}`);
  }

  async requests(): Promise<Omit<RequestRecord, "body">[]> {
    return (await this.#call<{ requests: RequestRecord[] }>("GET", "/admin/requests")).requests;
  }

  /** Waits for a log entry; with `deltas`, for a request that has streamed that many. */
  async waitFor(options: WaitOptions & { deltas: number }): Promise<RequestRecord>;
  async waitFor(options: WaitOptions): Promise<LogEntry>;
  async waitFor(options: WaitOptions): Promise<LogEntry | RequestRecord> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options)) {
      if (value !== undefined) query.set(name, String(value));
    }
    return this.#call("GET", `/admin/wait?${query}`);
  }

  async reset(): Promise<void> {
    await this.#call("POST", "/admin/reset");
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: { "x-polaris-admin": this.#adminKey, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`model ${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }
}
