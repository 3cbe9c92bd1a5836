// What a continued run is told about everything it waited for, and what is told about a batch.
// Reads only; a child's output is read from the child, it is never copied.

import type { CompletedWaitpoint, RetrieveBatchV2Response } from "@trigger.dev/core/v3";
import { type Batch, batchItems } from "../store/batches.ts";
import type { Database } from "../store/database.ts";
import { findRun, type Run } from "../store/runs.ts";
import { type Completion, completionsOf } from "../store/waitpoints.ts";

export function completedWaitpointsOf(db: Database, snapshotId: string): CompletedWaitpoint[] {
  return completionsOf(db, snapshotId).map((completion) => completedWaitpoint(db, completion));
}

function completedWaitpoint(db: Database, completion: Completion): CompletedWaitpoint {
  const { waitpoint, batchId, position } = completion;
  const { id, type, completedAfter, runId } = waitpoint;
  const common = {
    id,
    friendlyId: id,
    type,
    completedAt: new Date(waitpoint.completedAt ?? 0),
    outputIsError: false,
  };
  if (type === "DATETIME") {
    return {
      ...common,
      ...(completedAfter === null ? {} : { completedAfter: new Date(completedAfter) }),
    };
  }
  if (type === "BATCH") {
    return { ...common, completedByBatch: { id: runId ?? "", friendlyId: runId ?? "" } };
  }
  const child = runId === null ? undefined : findRun(db, runId);
  const batch = batchId === null ? {} : { batch: { id: batchId, friendlyId: batchId } };
  return {
    ...common,
    ...(batchId === null ? {} : { index: position }),
    completedByTaskRun: { id: runId ?? "", friendlyId: runId ?? "", ...batch },
    ...outcomeOf(child),
  };
}

/** As officially: a success is the output's packet, everything else the error as JSON. */
function outcomeOf(child: Run | undefined) {
  if (child?.state.status === "COMPLETED_SUCCESSFULLY") {
    return {
      outputIsError: false,
      outputType: child.outputType ?? "application/json",
      ...(child.output === null ? {} : { output: child.output }),
    };
  }
  return {
    outputIsError: true,
    outputType: "application/json",
    output: JSON.stringify(errorOf(child)),
  };
}

function errorOf(child: Run | undefined) {
  if (child === undefined) return { type: "STRING_ERROR", raw: "The run is not known any more" };
  if (child.error !== null) return child.error;
  const expired = `Run expired because the TTL (${child.facts.ttl ?? "none"}) was reached`;
  return {
    type: "STRING_ERROR",
    raw: child.state.status === "EXPIRED" ? expired : child.state.status,
  };
}

export function batchView(db: Database, batch: Batch): RetrieveBatchV2Response {
  const runs = batchItems(db, batch.id).map((item) => item.runId);
  const ends = runs.map((id) => findRun(db, id)?.finishedAt ?? null);
  const sealed = batch.sealedAt !== null;
  const completed = sealed && ends.every((end) => end !== null);
  const updatedAt = Math.max(batch.sealedAt ?? batch.createdAt, ...ends.map((end) => end ?? 0));
  return {
    id: batch.id,
    status: completed ? "COMPLETED" : sealed ? "PROCESSING" : "PENDING",
    createdAt: new Date(batch.createdAt),
    updatedAt: new Date(updatedAt),
    runCount: batch.runCount,
    runs,
    processing: {
      errors: [],
      ...(batch.sealedAt === null ? {} : { completedAt: new Date(batch.sealedAt) }),
    },
    ...(batch.key === null ? {} : { idempotencyKey: batch.key }),
  };
}
