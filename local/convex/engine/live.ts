// Live queries: one per (function, arguments, identity), shared by all sockets that ask for it, run
// again only when a commit touched something that it read.
import type { Commit, Engine, QueryOutcome } from "./engine.ts";
import type { Caller } from "./frame.ts";

export interface Subscriber {
  /** Something that this subscriber shows may have changed. */
  onStale(): void;
}

export class LiveQuery {
  readonly path: string;
  readonly argsJson: string;
  readonly caller: Caller;
  readonly subscribers = new Set<Subscriber>();
  readonly key: string;
  journal: string | null;
  isStale = true;
  outcome: QueryOutcome | undefined;

  constructor(key: string, path: string, argsJson: string, caller: Caller, journal: string | null) {
    this.key = key;
    this.path = path;
    this.argsJson = argsJson;
    this.caller = caller;
    this.journal = journal;
  }
}

export class LiveQueries {
  readonly #engine: Engine;
  readonly #queries = new Map<string, LiveQuery>();
  readonly #onRun: (query: LiveQuery, outcome: QueryOutcome, ms: number) => void;

  constructor(
    engine: Engine,
    onRun: (query: LiveQuery, outcome: QueryOutcome, ms: number) => void,
  ) {
    this.#engine = engine;
    this.#onRun = onRun;
    engine.onCommit((commit) => this.#invalidate(commit));
  }

  subscribe(
    subscriber: Subscriber,
    path: string,
    argsJson: string,
    caller: Caller,
    journal: string | null,
  ): LiveQuery {
    const key = JSON.stringify([path, argsJson, caller.identity, caller.isTrusted, journal]);
    let query = this.#queries.get(key);
    if (query === undefined) {
      query = new LiveQuery(key, path, argsJson, caller, journal);
      this.#queries.set(key, query);
    }
    query.subscribers.add(subscriber);
    return query;
  }

  unsubscribe(subscriber: Subscriber, query: LiveQuery): void {
    query.subscribers.delete(subscriber);
    if (query.subscribers.size === 0) this.#queries.delete(query.key);
  }

  /** Brings a query up to date. Only for those who hold the engine's lock. */
  async refresh(query: LiveQuery): Promise<QueryOutcome> {
    if (!query.isStale && query.outcome !== undefined) return query.outcome;
    const begin = performance.now();
    const { path, argsJson, caller } = query;
    const outcome = await this.#engine.runQueryNow(path, argsJson, caller, query.journal);
    query.journal = outcome.journal ?? query.journal;
    query.outcome = outcome;
    query.isStale = false;
    this.#onRun(query, outcome, performance.now() - begin);
    return outcome;
  }

  #invalidate(commit: Commit): void {
    for (const query of this.#queries.values()) {
      if (query.isStale || !query.outcome?.reads?.isTouchedBy(commit.touched)) continue;
      query.isStale = true;
      for (const subscriber of query.subscribers) subscriber.onStale();
    }
  }
}
