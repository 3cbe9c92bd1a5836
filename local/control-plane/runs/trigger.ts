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
import { addBatchItem } from "../store/batches.ts";
import type { Database } from "../store/database.ts";
import { addTags, findRun, type Run, type RunFacts, tagsOf } from "../store/runs.ts";
import { findTask } from "../store/workers.ts";
import type { Engine } from "./engine.ts";
import { isFinal } from "./state.ts";
import type { Place } from "./waits.ts";

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
  /** Its place in the batch that it is triggered with. */
  batch?: Place;
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
    const parent = options.parentRunId ? findRun(db, options.parentRunId) : undefined;
    const waits = options.resumeParentOnCompletion === true;
    if (waits && parent === undefined) throw new HttpError(404, "Parent run not found");
    if (waits && parent !== undefined && isFinal(parent.state.status)) {
      const { status } = parent.state;
      throw new HttpError(
        422,
        `Cannot trigger ${task} as the parent run has a status of ${status}`,
      );
    }
    const connect = (run: Run): void => {
      if (request.batch !== undefined) addBatchItem(db, request.batch, run.id);
      if (waits && parent !== undefined) engine.waits.onRun(parent.id, run, request.batch);
    };
    const existing = findByIdempotencyKey(db, task, options.idempotencyKey, now);
    if (existing !== undefined) {
      connect(existing);
      return { id: existing.id, isCached: true };
    }

    const trace = parseTraceparent(request.traceparent);
    const id = generateFriendlyId("run");
    const { payload, payloadType } = readPayload(request);
    const run = engine.create({
      id,
      task,
      branch: request.branch ?? parent?.branch ?? null,
      facts: {
        ...facts,
        depth: parent === undefined ? 0 : parent.facts.depth + 1,
        ...(metadata === null ? {} : { seedMetadata: metadata }),
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
    rememberRequestKey(db, request.requestKey, id, now);
    if (options.idempotencyKey !== undefined) {
      const expiresAt = keyExpiry(options.idempotencyKeyTTL, now);
      db.run(
        "insert or replace into idempotency_keys (task, key, run_id, expires_at) values (?, ?, ?, ?)",
        [task, options.idempotencyKey, id, expiresAt],
      );
    }
    connect(run);
    return { id, isCached: false };
  });
}

/** The same task with the same payload and options once more, as a run of its own. */
export function replayRun(
  db: Database,
  engine: Engine,
  run: Run,
  change: { options?: Options; payload?: unknown; requestKey?: string | undefined } = {},
): Promise<Triggered> {
  const { options = {}, payload } = change;
  return triggerRun(db, engine, {
    task: run.task,
    payload: payload ?? run.payload,
    branch: run.branch,
    requestKey: change.requestKey,
    traceparent: undefined,
    replayOf: run.id,
    options: {
      ...options,
      metadata: options.metadata ?? run.facts.seedMetadata,
      tags: options.tags ?? tagsOf(db, run.id),
      maxAttempts: options.maxAttempts ?? run.facts.maxAttempts,
      concurrencyKey: options.concurrencyKey ?? run.facts.concurrencyKey,
      test: run.facts.isTest,
      payloadType: payload === undefined ? run.payloadType : options.payloadType,
      queue: options.queue ?? { name: run.facts.queue },
    },
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
  if (request.batch !== undefined) given.batchId = request.batch.batchId;
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
    resumeParentOnCompletion: options.resumeParentOnCompletion ?? false,
  };
}

export function findByRequestKey(
  db: Database,
  key: string | undefined,
  now: number,
): string | undefined {
  if (key === undefined) return undefined;
  db.run("delete from request_keys where created_at < ?", [now - REQUEST_KEY_TTL_MS]);
  const row = db.get("select run_id from request_keys where key = ?", [key]);
  return row && String(row.run_id);
}

/** `id`: of the run or batch that the request made. */
export function rememberRequestKey(
  db: Database,
  key: string | undefined,
  id: string,
  now: number,
): void {
  if (key === undefined) return;
  const sql = "insert or replace into request_keys (key, run_id, created_at) values (?, ?, ?)";
  db.run(sql, [key, id, now]);
}

/** A key is used again only when its run did not fail, was not cancelled and has not expired. */
function findByIdempotencyKey(
  db: Database,
  task: string,
  key: string | undefined,
  now: number,
): Run | undefined {
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
  return run;
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

/** When an idempotency key that is used now may be used for something else. */
export function keyExpiry(text: string | undefined, now: number): number {
  if (text === undefined) return now + DEFAULT_IDEMPOTENCY_TTL_MS;
  const ms = parseNaturalLanguageDurationInMs(text);
  if (ms === undefined) throw new HttpError(422, `Invalid idempotencyKeyTTL ${text}`);
  return now + ms;
}

function parseTraceparent(
  header: string | undefined,
): { traceId: string; spanId: string } | undefined {
  const found = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(header ?? "");
  return found?.[1] && found[2] ? { traceId: found[1], spanId: found[2] } : undefined;
}
