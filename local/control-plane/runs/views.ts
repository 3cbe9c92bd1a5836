// How a stored run looks to the worker (messages of the CLI protocol) and to the SDK (API replies).
// Reads only; the shapes are those of `@trigger.dev/core/v3`, checked where they are sent.

import {
  type RunStatus as ApiStatus,
  createJsonErrorObject,
  type DequeuedMessage,
  type ListRunResponseItem,
  type MachinePreset,
  type RetrieveRunResponse,
  type RunExecutionData,
  TaskRunErrorCodes,
  type TaskRunExecution,
  type TaskRunExecutionResult,
} from "@trigger.dev/core/v3";
import { parsePacketAsJson } from "@trigger.dev/core/v3/utils/ioSerialization";
import type { Keys } from "../keys.ts";
import { type Packets, STORED } from "../packets.ts";
import type { Database } from "../store/database.ts";
import { attemptsOf, childrenOf, findRun, findSnapshot, type Run, tagsOf } from "../store/runs.ts";
import { findWorker, type Worker } from "../store/workers.ts";
import { machinePreset } from "./machines.ts";
import { isFinal, type RunStatus } from "./state.ts";
import { completedWaitpointsOf } from "./wait-views.ts";

export const ENVIRONMENT_SLUG = "dev";
const ENVIRONMENT_TYPE = "DEVELOPMENT";
const LOCAL = { slug: "local", name: "Local" };

export function snapshotView(db: Database, run: Run): RunExecutionData["snapshot"] {
  const snapshot = findSnapshot(db, run.state.snapshotId);
  return {
    id: run.state.snapshotId,
    friendlyId: run.state.snapshotId,
    executionStatus: run.state.execution,
    description: snapshot?.description ?? "",
    createdAt: new Date(snapshot?.createdAt ?? run.updatedAt),
  };
}

export function runView(run: Run): RunExecutionData["run"] {
  return {
    id: run.id,
    friendlyId: run.id,
    status: run.state.status,
    attemptNumber: run.state.attempt === 0 ? null : run.state.attempt,
  };
}

export function executionData(db: Database, run: Run): RunExecutionData {
  const snapshot = snapshotView(db, run);
  const completedWaitpoints = completedWaitpointsOf(db, run.state.snapshotId);
  return { version: "1", snapshot, run: runView(run), completedWaitpoints };
}

export function dequeuedMessage(
  db: Database,
  keys: Keys,
  run: Run,
  worker: Worker,
): DequeuedMessage {
  return {
    version: "1",
    snapshot: snapshotView(db, run),
    dequeuedAt: new Date(),
    completedWaitpoints: [],
    backgroundWorker: {
      id: worker.id,
      friendlyId: worker.id,
      version: worker.version,
      ...(worker.runtime === undefined ? {} : { runtime: worker.runtime }),
    },
    deployment: {},
    run: {
      id: run.id,
      friendlyId: run.id,
      isTest: run.facts.isTest,
      isReplay: run.facts.replayOf !== undefined,
      machine: machineFor(run),
      attemptNumber: run.state.attempt + 1,
      masterQueue: keys.environmentId,
      traceContext: traceContext(run),
    },
    environment: { id: keys.environmentId, type: ENVIRONMENT_TYPE },
    organization: { id: keys.organizationId },
    project: { id: keys.projectId },
  };
}

export function taskRunExecution(db: Database, keys: Keys, run: Run): TaskRunExecution {
  const { facts } = run;
  const task = run.workerId === null ? undefined : findWorker(db, run.workerId)?.tasks;
  const attempt = attemptsOf(db, run.id).at(-1);
  const scope = facts.idempotencyKeyOptions;
  const idempotencyKey = scope?.key ?? facts.idempotencyKey;
  return {
    task: {
      id: run.task,
      filePath: task?.find((each) => each.id === run.task)?.filePath ?? "unknown",
    },
    attempt: {
      number: run.state.attempt,
      startedAt: new Date(attempt?.startedAt ?? run.updatedAt),
    },
    run: {
      id: run.id,
      payload: run.payload ?? "",
      payloadType: run.payloadType,
      tags: tagsOf(db, run.id),
      isTest: facts.isTest,
      isReplay: facts.replayOf !== undefined,
      createdAt: new Date(run.createdAt),
      startedAt: new Date(facts.startedAt ?? run.createdAt),
      version: facts.version ?? "unknown",
      durationMs: facts.durationMs,
      costInCents: 0,
      baseCostInCents: 0,
      traceContext: traceContext(run),
      // "v1" streams are plain HTTP; "v2" would need a hosted stream store.
      realtimeStreamsVersion: "v1",
      ...(run.metadata === null
        ? {}
        : { metadata: run.metadata as NonNullable<TaskRunExecution["run"]["metadata"]> }),
      ...(facts.maxAttempts === undefined ? {} : { maxAttempts: facts.maxAttempts }),
      ...(facts.maxDuration === undefined ? {} : { maxDuration: facts.maxDuration }),
      ...(facts.priority === undefined ? {} : { priority: facts.priority }),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(scope === undefined ? {} : { idempotencyKeyScope: scope.scope }),
      ...(run.parentId === null ? {} : { parentTaskRunId: run.parentId }),
      ...(run.rootId === null ? {} : { rootTaskRunId: run.rootId }),
    },
    queue: { id: `queue_${facts.queue}`, name: facts.queue },
    environment: {
      id: keys.environmentId,
      slug: ENVIRONMENT_SLUG,
      type: ENVIRONMENT_TYPE,
      ...(run.branch === null ? {} : { branchName: run.branch }),
    },
    organization: { id: keys.organizationId, ...LOCAL },
    project: { id: keys.projectId, ref: keys.projectRef, ...LOCAL },
    machine: machineFor(run),
    ...(facts.batchId === undefined ? {} : { batch: { id: facts.batchId } }),
  };
}

export async function retrieveView(
  db: Database,
  run: Run,
  packets: Packets,
): Promise<RetrieveRunResponse> {
  const succeeded = run.state.status === "COMPLETED_SUCCESSFULLY";
  const { value: payload, url: payloadUrl } = await packetView(packets, {
    data: run.payload,
    dataType: run.payloadType,
  });
  const { value: output, url: outputUrl } = await packetView(packets, {
    data: succeeded ? run.output : null,
    dataType: run.outputType ?? "application/json",
  });
  const parent = run.parentId === null ? undefined : findRun(db, run.parentId);
  const root = run.rootId === null ? undefined : findRun(db, run.rootId);
  return {
    ...commonFields(db, run),
    ...relatedFields(run),
    payload,
    output,
    ...(payloadUrl === undefined ? {} : { payloadPresignedUrl: payloadUrl }),
    ...(outputUrl === undefined ? {} : { outputPresignedUrl: outputUrl }),
    ...(run.error === null ? {} : { error: createJsonErrorObject(run.error) }),
    relatedRuns: {
      ...(root === undefined ? {} : { root: relatedView(db, root) }),
      ...(parent === undefined ? {} : { parent: relatedView(db, parent) }),
      children: childrenOf(db, run.id).map((child) => relatedView(db, child)),
    },
    attemptCount: run.state.attempt,
  };
}

export function listView(db: Database, keys: Keys, run: Run): ListRunResponseItem {
  const env = { id: keys.environmentId, name: ENVIRONMENT_SLUG };
  return { ...commonFields(db, run), env };
}

/** The result as a parent would get it; undefined while the run is not final. */
export function resultView(run: Run): TaskRunExecutionResult | undefined {
  if (run.finishedAt === null && run.state.status !== "CANCELED") return undefined;
  const id = run.id;
  const taskIdentifier = run.task;
  if (run.state.status === "COMPLETED_SUCCESSFULLY") {
    const outputType = run.outputType ?? "application/json";
    return {
      ok: true,
      id,
      taskIdentifier,
      outputType,
      ...(run.output === null ? {} : { output: run.output }),
    };
  }
  if (run.state.status === "CANCELED" || run.error === null) {
    const code =
      run.state.status === "CANCELED"
        ? TaskRunErrorCodes.TASK_RUN_CANCELLED
        : TaskRunErrorCodes.CONFIGURED_INCORRECTLY;
    return { ok: false, id, taskIdentifier, error: { type: "INTERNAL_ERROR", code } };
  }
  return { ok: false, id, taskIdentifier, error: run.error };
}

function commonFields(db: Database, run: Run) {
  const { facts } = run;
  const status = apiStatus(run.state.status);
  const isQueued = status === "QUEUED" || status === "DELAYED" || status === "PENDING_VERSION";
  const isExecuting = status === "EXECUTING" || status === "DEQUEUED";
  // CANCELED from the moment of the cancel, as officially; `finishedAt` says when the worker was done.
  const isCompleted = isFinal(run.state.status);
  const idempotencyKey = facts.idempotencyKeyOptions?.key ?? facts.idempotencyKey;
  return {
    id: run.id,
    taskIdentifier: run.task,
    status,
    createdAt: new Date(run.createdAt),
    updatedAt: new Date(run.updatedAt),
    isTest: facts.isTest,
    isQueued,
    isExecuting,
    isWaiting: false,
    isCompleted,
    isSuccess: status === "COMPLETED",
    isFailed: isCompleted && status !== "COMPLETED",
    isCancelled: status === "CANCELED",
    tags: tagsOf(db, run.id),
    costInCents: 0,
    baseCostInCents: 0,
    durationMs: facts.durationMs,
    taskKind: "STANDARD",
    ...(run.metadata === null ? {} : { metadata: run.metadata }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(facts.version === undefined ? {} : { version: facts.version }),
    ...(facts.startedAt === undefined ? {} : { startedAt: new Date(facts.startedAt) }),
    ...(run.finishedAt === null ? {} : { finishedAt: new Date(run.finishedAt) }),
    ...(facts.delayUntil === undefined ? {} : { delayedUntil: new Date(facts.delayUntil) }),
    ...(facts.expiredAt === undefined ? {} : { expiredAt: new Date(facts.expiredAt) }),
    ...(facts.ttl === undefined ? {} : { ttl: facts.ttl }),
  };
}

function relatedView(db: Database, run: Run) {
  return { ...commonFields(db, run), ...relatedFields(run) };
}

function relatedFields({ facts }: Run) {
  const waits = facts.resumeParentOnCompletion;
  const { depth, batchId } = facts;
  if (batchId === undefined) {
    return { depth, triggerFunction: waits ? "triggerAndWait" : "trigger" } as const;
  }
  const triggerFunction = waits ? "batchTriggerAndWait" : "batchTrigger";
  return { depth, batchId, triggerFunction } as const;
}

/** What is stored apart is given as a URL, which the SDK follows by itself. */
async function packetView(
  packets: Packets,
  { data, dataType }: { data: string | null; dataType: string },
): Promise<{ value?: unknown; url?: string }> {
  if (data === null) return {};
  if (dataType === STORED) return { url: packets.urlFor("GET", data) };
  return { value: await readPacket(data, dataType) };
}

export function apiStatus(status: RunStatus): ApiStatus {
  switch (status) {
    case "PENDING":
      return "QUEUED";
    case "RETRYING_AFTER_FAILURE":
      return "EXECUTING";
    case "COMPLETED_SUCCESSFULLY":
      return "COMPLETED";
    case "COMPLETED_WITH_ERRORS":
      return "FAILED";
    default:
      return status;
  }
}

/** The stored statuses that an API status stands for. */
export function storedStatuses(status: ApiStatus): RunStatus[] {
  switch (status) {
    case "QUEUED":
      return ["PENDING"];
    case "EXECUTING":
      return ["EXECUTING", "RETRYING_AFTER_FAILURE"];
    case "COMPLETED":
      return ["COMPLETED_SUCCESSFULLY"];
    case "FAILED":
      return ["COMPLETED_WITH_ERRORS"];
    case "PENDING_VERSION":
    case "WAITING":
      return [];
    default:
      return [status];
  }
}

export async function readPacket(data: string | null, dataType: string): Promise<unknown> {
  if (data === null) return undefined;
  const value: unknown = await parsePacketAsJson({ data, dataType });
  return value;
}

function machineFor(run: Run): MachinePreset {
  return machinePreset(run.facts.machine);
}

function traceContext(run: Run): { traceparent: string } {
  return { traceparent: `00-${run.traceId}-${run.facts.spanId}-01` };
}
