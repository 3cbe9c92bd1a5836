// A run's metadata: the operations that tasks send while they run and with their completion.
// Applied by the official function, so that paths and increments mean what they mean officially.

import { applyMetadataOperations, FlushedRunMetadata, parsePacket } from "@trigger.dev/core/v3";
import { HttpError } from "../http/router.ts";
import type { Database } from "../store/database.ts";
import { findRun, type Run, updateRun } from "../store/runs.ts";

/** The official limit of a run's metadata, in bytes of JSON. */
const MAX_METADATA_BYTES = 256 * 1024;

type Operations = NonNullable<FlushedRunMetadata["operations"]>;

export function updateMetadata(
  db: Database,
  runId: string,
  update: FlushedRunMetadata,
): Record<string, unknown> {
  return db.transaction(() => {
    const run = findRun(db, runId);
    if (run === undefined) throw new HttpError(404, "Run not found");
    const { operations, parentOperations, rootOperations } = update;
    // A run without a parent is its own parent and root, as officially.
    if (parentOperations?.length) apply(db, run.parentId ?? run.id, parentOperations);
    if (rootOperations?.length) apply(db, run.rootId ?? run.id, rootOperations);
    if (operations?.length) return apply(db, run.id, operations);
    if (update.metadata !== undefined) return store(db, run.id, update.metadata);
    return findRun(db, runId)?.metadata ?? {};
  });
}

/** What a completion carries: the operations that the task had not yet sent. */
export async function readFlushed(
  packet: { data?: string | undefined; dataType: string } | undefined,
): Promise<FlushedRunMetadata | undefined> {
  if (packet?.data === undefined) return undefined;
  const value: unknown = await parsePacket({ data: packet.data, dataType: packet.dataType });
  const parsed = FlushedRunMetadata.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

function apply(db: Database, runId: string, operations: Operations): Record<string, unknown> {
  const run = findRun(db, runId);
  const current = (run?.metadata ?? {}) as Parameters<typeof applyMetadataOperations>[0];
  return store(db, runId, applyMetadataOperations(current, operations).newMetadata);
}

function store(db: Database, runId: string, metadata: unknown): Record<string, unknown> {
  const size = Buffer.byteLength(JSON.stringify(metadata));
  if (size > MAX_METADATA_BYTES) {
    throw new HttpError(413, `Metadata may have ${MAX_METADATA_BYTES} bytes, not ${size}`);
  }
  const run: Run | undefined = findRun(db, runId);
  if (run === undefined) throw new HttpError(404, "Run not found");
  const value = metadata as Record<string, unknown>;
  updateRun(db, { ...run, metadata: value, updatedAt: Date.now() });
  return value;
}
