// What the routes share.

import type { Keys } from "../keys.ts";
import type { Packets } from "../packets.ts";
import type { Engine } from "../runs/engine.ts";
import type { Database } from "../store/database.ts";
import type { Journal } from "../store/journal.ts";
import { findRun, type Run } from "../store/runs.ts";
import { HttpError } from "./router.ts";

export interface Services {
  keys: Keys;
  db: Database;
  engine: Engine;
  journal: Journal;
  packets: Packets;
  /** Known once the server listens. */
  url: () => string;
  pollMs: number;
  maxConcurrentRuns: number;
  /** Given to the index and run workers, below the CLI's own environment and env files. */
  workerVariables: Record<string, string>;
  /** Requests that are held open; aborted when the control plane closes. */
  held: Set<AbortController>;
}

export function requireRun(db: Database, id: string | undefined): Run {
  const run = id === undefined ? undefined : findRun(db, id);
  if (run === undefined) throw new HttpError(404, "Run not found");
  return run;
}

/** The development branch that a request is about; absent means the default one. */
export function branchOf(headers: Record<string, string | string[] | undefined>): string | null {
  const branch = headers["x-trigger-branch"];
  return typeof branch === "string" && branch !== "" && branch !== "default" ? branch : null;
}

export function header(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Aborted when either the caller goes away or the control plane closes. */
export function untilGone(
  { held }: Services,
  response: { once(event: "close", listener: () => void): unknown },
): AbortSignal {
  const gone = new AbortController();
  held.add(gone);
  response.once("close", () => {
    held.delete(gone);
    gone.abort();
  });
  return gone.signal;
}
