// Batches as the SDK hands them in: announced first, then item by item. An item that comes twice (its
// reply was lost) is one run; a parent that waits is blocked from the announcement on.

import {
  type BatchItemNDJSON,
  type CreateBatchRequestBody,
  generateFriendlyId,
} from "@trigger.dev/core/v3";
import { HttpError } from "../http/router.ts";
import {
  adoptBatch,
  type Batch,
  batchItems,
  findBatch,
  findBatchByKey,
  insertBatch,
  sealBatch,
} from "../store/batches.ts";
import type { Database } from "../store/database.ts";
import { findRun } from "../store/runs.ts";
import type { Engine } from "./engine.ts";
import { findByRequestKey, keyExpiry, rememberRequestKey, triggerRun } from "./trigger.ts";

/** The official limit of items in a batch. */
const MAX_ITEMS = 1_000;

export interface BatchContext {
  db: Database;
  engine: Engine;
}

export function createBatch(
  { db, engine }: BatchContext,
  body: CreateBatchRequestBody,
  requestKey: string | undefined,
): { batch: Batch; isCached: boolean } {
  const { runCount, idempotencyKey: key = null, resumeParentOnCompletion: waits = false } = body;
  if (runCount > MAX_ITEMS) {
    throw new HttpError(422, `A batch may have ${MAX_ITEMS} items, not ${runCount}`);
  }
  const parentId = body.parentRunId ?? null;
  if (waits && (parentId === null || findRun(db, parentId) === undefined)) {
    throw new HttpError(404, "Parent run not found");
  }
  return db.transaction(() => {
    const now = Date.now();
    const repeated = findByRequestKey(db, requestKey, now);
    const again = repeated === undefined ? undefined : findBatch(db, repeated);
    if (again !== undefined) return { batch: again, isCached: false };
    const existing = key === null ? undefined : findBatchByKey(db, key, now);
    if (existing !== undefined && existing.sealedAt !== null) {
      if (waits && parentId !== null) waitForItems(db, engine, parentId, existing);
      return { batch: existing, isCached: true };
    }
    const batch = existing ?? {
      id: generateFriendlyId("batch"),
      runCount,
      parentId,
      waits,
      key,
      sealedAt: null,
      createdAt: now,
    };
    if (existing === undefined) {
      insertBatch(db, { ...batch, keyExpiresAt: key === null ? null : keyExpiry(undefined, now) });
    } else {
      adoptBatch(db, batch.id, parentId);
    }
    rememberRequestKey(db, requestKey, batch.id, now);
    if (waits && parentId !== null) engine.waits.onBatch(parentId, batch.id);
    return { batch, isCached: false };
  });
}

export interface HandedIn {
  accepted: number;
  deduplicated: number;
  sealed: boolean;
  present: number;
}

export async function addBatchItems(
  { db, engine }: BatchContext,
  batch: Batch,
  items: BatchItemNDJSON[],
  request: { branch: string | null; traceparent: string | undefined },
): Promise<HandedIn> {
  const present = new Map(batchItems(db, batch.id).map((item) => [item.position, item.runId]));
  const { parentId, waits } = batch;
  let accepted = 0;
  let deduplicated = 0;
  for (const { index, task, payload, options = {} } of items) {
    if (index >= batch.runCount) {
      throw new HttpError(422, `Item ${index} is beyond the batch's ${batch.runCount} items`);
    }
    const known = present.get(index);
    if (known !== undefined) {
      deduplicated++;
      const run = findRun(db, known);
      // Handed in by an earlier attempt of the parent, which waited for it then.
      if (waits && parentId !== null && run !== undefined && batch.sealedAt === null) {
        engine.waits.onRun(parentId, run, { batchId: batch.id, position: index });
      }
      continue;
    }
    const { id } = await triggerRun(db, engine, {
      task,
      payload,
      ...request,
      requestKey: undefined,
      batch: { batchId: batch.id, position: index },
      options: {
        ...options,
        ...(parentId === null ? {} : { parentRunId: parentId }),
        resumeParentOnCompletion: waits,
      },
    });
    present.set(index, id);
    accepted++;
  }
  const sealed = present.size === batch.runCount;
  if (sealed) {
    db.transaction(() => {
      sealBatch(db, batch.id, Date.now());
      engine.waits.ended(batch.id);
    });
    engine.waits.continueUnblocked();
  }
  return { accepted, deduplicated, sealed, present: present.size };
}

/** A batch of an earlier attempt, found by its key: the parent waits for what is still under way. */
function waitForItems(db: Database, engine: Engine, parentId: string, batch: Batch): void {
  const children = batchItems(db, batch.id).flatMap(({ position, runId }) => {
    const run = findRun(db, runId);
    return run === undefined ? [] : [{ run, place: { batchId: batch.id, position } }];
  });
  engine.waits.onRuns(parentId, children);
}
