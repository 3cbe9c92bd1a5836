// From a trigger request to a stored run: the delay, the time to live, idempotency keys, metadata.
// Never decides what a run does next; that is the engine's.

import { randomBytes } from "node:crypto";
import {
  generateFriendlyId,
  parsePacket,
  type TaskResource,
  type TriggerTaskRequestBody,
} from "@trigger.dev/core/v3";
import {
  parseNaturalLanguageDuration,
  parseNaturalLanguageDurationInMs,
  stringifyDuration,
} from "@trigger.dev/core/v3/isomorphic";
import { HttpError } from "../http/router.ts";
import type { Database } from "../store/database.ts";
import { addTags, findRun, type Run, type RunFacts } from "../store/runs.ts";
import { findTask } from "../store/workers.ts";
import type { Engine } from "./engine.ts";

/** The official default of a development environment. */
const DEFAULT_TTL = "10m";
const DEFAULT_IDEMPOTENCY_TTL_MS = 30 * 24 * 60 * 60 * 1000;
const MAX_TAGS = 10;
/** How long a repeated request (a lost reply) is recognised. */
const REQUEST_KEY_TTL_MS = 24 * 60 * 60 * 1000;

type Options = NonNullable<TriggerTaskRequestBody["options"]>;

export interface TriggerRequest {
  task: string;
  payload: unknown;
  options: Options;
  branch: string | null;
  /** Repeated by the SDK when it repeats a request whose reply was lost. */
  requestKey: string | undefined;
  traceparent: string | undefined;
  replayOf?: string;
}

export interface Triggered {
  id: string;
  isCached: boolean;
}

export async function triggerRun(
  db: Database,
  engine: Engine,
  request: TriggerRequest,
): Promise<Triggered> {
  const { task, options } = request;
  refuseWhatIsMissing(options);
  const now = Date.now();
  const metadata = await readMetadata(options);
  const declared = findTask(db, task);
  const delayUntil = parseDelay(options.delay, now);
  const tags = readTags(options.tags);
  const facts = factsOf(request, declared, delayUntil);
  const ttlMs = facts.ttl === undefined ? undefined : parseNaturalLanguageDurationInMs(facts.ttl);
  if (facts.ttl !== undefined && ttlMs === undefined) {
    throw new HttpError(422, `Invalid ttl ${facts.ttl}`);
  }

  return db.transaction(() => {
    const repeated = findByRequestKey(db, request.requestKey, now);
    if (repeated !== undefined) return { id: repeated, isCached: false };
    const existing = findByIdempotencyKey(db, task, options.idempotencyKey, now);
    if (existing !== undefined) return { id: existing, isCached: true };

    const parent = options.parentRunId ? findRun(db, options.parentRunId) : undefined;
    const trace = parseTraceparent(request.traceparent);
    const id = generateFriendlyId("run");
    const { payload, payloadType } = readPayload(request);
    engine.create({
      id,
      task,
      branch: request.branch,
      facts: {
        ...facts,
        depth: parent === undefined ? 0 : parent.facts.depth + 1,
        ...(trace === undefined ? {} : { parentSpanId: trace.spanId }),
      },
      payload,
      payloadType,
      metadata,
      parentId: parent?.id ?? null,
      rootId: parent === undefined ? null : (parent.rootId ?? parent.id),
      traceId: trace?.traceId ?? randomBytes(16).toString("hex"),
      queuedAt: delayUntil ?? now,
      createdAt: now,
      tags,
      // Counted from when it enters the queue, as officially.
      expiresAt: ttlMs === undefined || ttlMs === 0 ? null : (delayUntil ?? now) + ttlMs,
    });
    if (request.requestKey !== undefined) {
      db.run("insert or replace into request_keys (key, run_id, created_at) values (?, ?, ?)", [
        request.requestKey,
        id,
        now,
      ]);
    }
    if (options.idempotencyKey !== undefined) {
      const ttl = options.idempotencyKeyTTL;
      const lasts = ttl === undefined ? DEFAULT_IDEMPOTENCY_TTL_MS : durationOf(ttl);
      db.run(
        "insert or replace into idempotency_keys (task, key, run_id, expires_at) values (?, ?, ?, ?)",
        [task, options.idempotencyKey, id, now + lasts],
      );
    }
    return { id, isCached: false };
  });
}

export function addRunTags(db: Database, run: Run, present: string[], tags: string[]): number {
  const wanted = tags.filter((tag) => tag.trim().length > 0 && !present.includes(tag));
  const fresh = [...new Set(wanted)];
  if (present.length + fresh.length > MAX_TAGS) throw tooManyTags(present.length + fresh.length);
  addTags(db, run.id, fresh);
  return fresh.length;
}

/** A clear refusal, so that nothing waits for what this control plane does not do yet. */
function refuseWhatIsMissing(options: Options): void {
  if (options.resumeParentOnCompletion) {
    throw new HttpError(422, "This local control plane does not support triggerAndWait yet");
  }
  if (options.payloadType === "application/store") {
    throw new HttpError(422, "This local control plane does not store large payloads yet");
  }
  if (options.debounce !== undefined) {
    throw new HttpError(422, "This local control plane does not support debounce yet");
  }
}

function factsOf(
  request: TriggerRequest,
  declared: TaskResource | undefined,
  delayUntil: number | null,
): Omit<RunFacts, "depth"> & { depth: number } {
  const { options, task } = request;
  const ttl = options.ttl ?? declared?.ttl;
  const ttlText = typeof ttl === "number" ? stringifyDuration(ttl) : ttl;
  const given: Partial<RunFacts> = {};
  if (options.machine !== undefined) given.machine = options.machine;
  if (options.maxAttempts !== undefined) given.maxAttempts = options.maxAttempts;
  if (options.maxDuration !== undefined) given.maxDuration = options.maxDuration;
  if (options.priority !== undefined) given.priority = options.priority;
  if (options.lockToVersion !== undefined) given.lockToVersion = options.lockToVersion;
  if (options.concurrencyKey !== undefined) given.concurrencyKey = options.concurrencyKey;
  if (options.idempotencyKey !== undefined) given.idempotencyKey = options.idempotencyKey;
  if (options.idempotencyKeyOptions !== undefined) {
    given.idempotencyKeyOptions = options.idempotencyKeyOptions;
  }
  if (delayUntil !== null) given.delayUntil = delayUntil;
  if (request.replayOf !== undefined) given.replayOf = request.replayOf;
  // A ttl of 0 means: never expires.
  if (ttl === undefined) given.ttl = DEFAULT_TTL;
  else if (ttlText !== undefined) given.ttl = ttlText;
  return {
    ...given,
    queue: options.queue?.name ?? declared?.queue?.name ?? `task/${task}`,
    isTest: options.test ?? false,
    depth: 0,
    spanId: randomBytes(8).toString("hex"),
    durationMs: 0,
    resumeParentOnCompletion: false,
  };
}

function findByRequestKey(db: Database, key: string | undefined, now: number): string | undefined {
  if (key === undefined) return undefined;
  db.run("delete from request_keys where created_at < ?", [now - REQUEST_KEY_TTL_MS]);
  const row = db.get("select run_id from request_keys where key = ?", [key]);
  return row && String(row.run_id);
}

/** A key is used again only when its run did not fail, was not cancelled and has not expired. */
function findByIdempotencyKey(
  db: Database,
  task: string,
  key: string | undefined,
  now: number,
): string | undefined {
  if (key === undefined) return undefined;
  const row = db.get("select run_id, expires_at from idempotency_keys where task = ? and key = ?", [
    task,
    key,
  ]);
  if (row === undefined || Number(row.expires_at) <= now) return undefined;
  const run = findRun(db, String(row.run_id));
  const ended = run?.finishedAt !== null || run.state.status === "CANCELED";
  if (run === undefined || (ended && run.state.status !== "COMPLETED_SUCCESSFULLY")) {
    return undefined;
  }
  return run.id;
}

function readPayload(request: TriggerRequest): { payload: string | null; payloadType: string } {
  const payloadType = request.options.payloadType ?? "application/json";
  const { payload } = request;
  if (payload === undefined || payload === null) return { payload: null, payloadType };
  // The SDK sends a string; a plain API call may send the value itself.
  if (typeof payload === "string") return { payload, payloadType };
  return { payload: JSON.stringify(payload), payloadType: "application/json" };
}

async function readMetadata(options: Options): Promise<Record<string, unknown> | null> {
  const given: unknown = options.metadata;
  if (given === undefined || given === null) return null;
  const dataType = options.metadataType ?? "application/json";
  const value: unknown =
    typeof given === "string" ? await parsePacket({ data: given, dataType }) : given;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError(400, "metadata must be an object");
  }
  return value as Record<string, unknown>;
}

function readTags(tags: Options["tags"]): string[] {
  const list = tags === undefined ? [] : typeof tags === "string" ? [tags] : tags;
  const kept = [...new Set(list.filter((tag) => tag.trim().length > 0))];
  if (kept.length > MAX_TAGS) throw tooManyTags(kept.length);
  return kept;
}

function tooManyTags(count: number): HttpError {
  return new HttpError(422, `Runs can only have ${MAX_TAGS} tags, you're trying to set ${count}.`);
}

function parseDelay(delay: Options["delay"], now: number): number | null {
  if (delay === undefined) return null;
  const date =
    delay instanceof Date ? delay : (parseNaturalLanguageDuration(delay) ?? new Date(delay));
  const at = date.getTime();
  if (Number.isNaN(at)) throw new HttpError(422, `Invalid delay ${String(delay)}`);
  return at > now ? at : null;
}

function durationOf(text: string): number {
  const ms = parseNaturalLanguageDurationInMs(text);
  if (ms === undefined) throw new HttpError(422, `Invalid idempotencyKeyTTL ${text}`);
  return ms;
}

function parseTraceparent(
  header: string | undefined,
): { traceId: string; spanId: string } | undefined {
  const found = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(header ?? "");
  return found?.[1] && found[2] ? { traceId: found[1], spanId: found[2] } : undefined;
}
