// What the official CLI asks for: who am I, the project's environment, register a version, and the
// protocol of a development worker (dequeue, start, heartbeat, complete, disconnect).

import {
  CreateBackgroundWorkerRequestBody,
  CreateBackgroundWorkerResponse,
  DevConfigResponseBody,
  DevDequeueRequestBody,
  DevDequeueResponseBody,
  DevDisconnectRequestBody,
  DevDisconnectResponseBody,
  GetDeploySettingsResponseBody,
  GetEnvironmentVariablesResponseBody,
  GetProjectEnvResponse,
  UpsertBranchRequestBody,
  UpsertBranchResponseBody,
  WhoAmIResponseSchema,
} from "@trigger.dev/core/v3";
import {
  WorkerApiDebugLogBodyInput,
  WorkerApiRunAttemptCompleteRequestBody,
  WorkerApiRunAttemptCompleteResponseBody,
  WorkerApiRunAttemptStartRequestBody,
  WorkerApiRunAttemptStartResponseBody,
  WorkerApiRunHeartbeatRequestBody,
  WorkerApiRunHeartbeatResponseBody,
  WorkerApiRunLatestSnapshotResponseBody,
} from "@trigger.dev/core/v3/workers";
import { z } from "zod";
import { readFlushed, updateMetadata } from "../runs/metadata.ts";
import {
  dequeuedMessage,
  executionData,
  runView,
  snapshotView,
  taskRunExecution,
} from "../runs/views.ts";
import { addLog } from "../store/telemetry.ts";
import { registerWorker } from "../store/workers.ts";
import { branchOf, requireRun, type Services, untilGone } from "./context.ts";
import { HttpError, type Route, rawRoute, route } from "./router.ts";

/** A dequeue is held open this long when there is nothing to do: no idle polling. */
const DEQUEUE_HOLD_MS = 5_000;
const DEQUEUE_AT_ONCE = 10;
const PRESENCE_INTERVAL_MS = 15_000;
/** So many parents may wait in one CLI beside the runs that are at work. */
const WAITING_RUNS = 1_000;
const SNAPSHOT = "/engine/v1/dev/runs/:run/snapshots/:snapshot";

export function workerRoutes(services: Services): Route[] {
  const { db, engine, journal, keys } = services;
  const requireProject = (ref: string | undefined): void => {
    if (ref !== keys.projectRef) throw new HttpError(404, "Project not found");
  };

  return [
    route("GET /api/v2/whoami", {
      access: "personal",
      reply: WhoAmIResponseSchema,
      handle: () => ({
        body: {
          userId: "local",
          email: "local@localhost.localdomain",
          dashboardUrl: services.url(),
        },
      }),
    }),
    route("GET /api/v1/platform-notifications", {
      access: "personal",
      reply: z.object({ notification: z.null() }),
      handle: () => ({ body: { notification: null } }),
    }),
    route("GET /api/v1/projects/:project/dev", {
      access: "personal",
      reply: GetProjectEnvResponse,
      handle: ({ params }) => {
        requireProject(params.project);
        const { secretKey: apiKey, projectId } = keys;
        return { body: { apiKey, projectId, name: "Local", apiUrl: services.url() } };
      },
    }),
    // `deploy --dry-run` bundles what would be deployed and asks no more than this; there is one
    // environment here, whatever its name.
    ...["prod", "staging", "preview"].flatMap((environment) => [
      route(`GET /api/v1/projects/:project/${environment}`, {
        access: "personal",
        reply: GetProjectEnvResponse,
        handle: ({ params }) => {
          requireProject(params.project);
          const { secretKey: apiKey, projectId } = keys;
          return { body: { apiKey, projectId, name: "Local", apiUrl: services.url() } };
        },
      }),
      route(`GET /api/v1/projects/:project/${environment}/deploy-settings`, {
        access: "environment",
        reply: GetDeploySettingsResponseBody,
        handle: ({ params }) => {
          requireProject(params.project);
          // Depot's path is the one that can be rehearsed without a build server.
          return { body: { build_path: "depot" } };
        },
      }),
    ]),
    route("POST /api/v1/projects/:project/branches", {
      access: "personal",
      body: UpsertBranchRequestBody,
      reply: UpsertBranchResponseBody,
      handle: ({ params, body }) => {
        requireProject(params.project);
        // A branch is a name on workers and runs here; there is nothing to create.
        return { body: { id: `${keys.environmentId}-${body.branch}` } };
      },
    }),
    route("GET /api/v1/projects/:project/envvars", {
      access: "environment",
      reply: GetEnvironmentVariablesResponseBody,
      handle: ({ params }) => {
        requireProject(params.project);
        return { body: { variables: variablesOf(services) } };
      },
    }),
    route("POST /api/v1/projects/:project/background-workers", {
      access: "environment",
      body: CreateBackgroundWorkerRequestBody,
      reply: CreateBackgroundWorkerResponse,
      handle: ({ params, headers, body }) => {
        requireProject(params.project);
        const branch = branchOf(headers);
        const { metadata } = body;
        const { worker, isNew } = registerWorker(db, { metadata, branch, now: Date.now() });
        const tasks = worker.tasks.map((task) => task.id);
        const { id, version, contentHash } = worker;
        journal.write("worker registered", undefined, { id, version, branch, tasks, isNew });
        return { body: { id, version, contentHash } };
      },
    }),
    route("GET /engine/v1/dev/config", {
      access: "environment",
      reply: DevConfigResponseBody,
      handle: () => ({
        body: {
          environmentId: keys.environmentId,
          dequeueIntervalWithRun: services.pollMs,
          dequeueIntervalWithoutRun: services.pollMs,
          // A waiting run counts in the CLI, but not here: the limit is kept where runs are given out.
          maxConcurrentRuns: services.maxConcurrentRuns + WAITING_RUNS,
          engineUrl: services.url(),
        },
      }),
    }),
    rawRoute("GET /engine/v1/dev/presence", "environment", async ({ response }) => {
      response.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
      });
      const send = (): void => {
        response.write(`event: presence\ndata: {"type":"ping","timestamp":${Date.now()}}\n\n`);
      };
      send();
      const timer = setInterval(send, PRESENCE_INTERVAL_MS);
      untilGone(services, response).addEventListener("abort", () => {
        clearInterval(timer);
        response.end();
      });
    }),
    route("POST /engine/v1/dev/dequeue", {
      access: "environment",
      body: DevDequeueRequestBody,
      reply: DevDequeueResponseBody,
      handle: async ({ body, headers, response }) => {
        const branch = branchOf(headers);
        const gone = untilGone(services, response);
        const until = Date.now() + DEQUEUE_HOLD_MS;
        // A caller that has hung up gets nothing: its run would wait for the stall timeout.
        for (;;) {
          if (gone.aborted) return { body: { dequeuedMessages: [] } };
          const given = engine.dequeue(body.currentWorker, branch, DEQUEUE_AT_ONCE);
          const rest = until - Date.now();
          if (given.length > 0 || rest <= 0) {
            const dequeuedMessages = given.map(({ run, worker }) =>
              dequeuedMessage(db, keys, run, worker),
            );
            return { body: { dequeuedMessages } };
          }
          await engine.waitForWork(rest, gone);
        }
      },
    }),
    route(`POST ${SNAPSHOT}/attempts/start`, {
      access: "environment",
      body: WorkerApiRunAttemptStartRequestBody,
      reply: WorkerApiRunAttemptStartResponseBody,
      handle: async ({ params, response }) => {
        const id = requireRun(db, params.run).id;
        await engine.untilReleased(untilGone(services, response));
        const reply = engine.apply(id, { type: "start", from: params.snapshot ?? "" });
        if (!reply.ok) throw new HttpError(reply.status, reply.message);
        const run = engine.require(id);
        return {
          body: {
            snapshot: snapshotView(db, run),
            run: runView(run),
            execution: taskRunExecution(db, keys, run),
            envVars: variablesOf(services),
          },
        };
      },
    }),
    route(`POST ${SNAPSHOT}/attempts/complete`, {
      access: "environment",
      body: WorkerApiRunAttemptCompleteRequestBody,
      reply: WorkerApiRunAttemptCompleteResponseBody,
      handle: async ({ params, body }) => {
        const id = requireRun(db, params.run).id;
        const { completion, forceRequeue = false } = body;
        const flushed = await readFlushed(completion.flushedMetadata);
        if (flushed !== undefined) updateMetadata(db, id, flushed);
        const reply = engine.complete(id, params.snapshot ?? "", completion, forceRequeue);
        if (!reply.ok) throw new HttpError(reply.status, reply.message);
        const run = engine.require(id);
        const attemptStatus = reply.attemptStatus ?? "RUN_FINISHED";
        return {
          body: {
            result: { attemptStatus, snapshot: snapshotView(db, run), run: runView(run) },
          },
        };
      },
    }),
    route(`POST ${SNAPSHOT}/heartbeat`, {
      access: "environment",
      body: WorkerApiRunHeartbeatRequestBody,
      reply: WorkerApiRunHeartbeatResponseBody,
      handle: ({ params }) => {
        const { id } = requireRun(db, params.run);
        engine.apply(id, { type: "heartbeat", from: params.snapshot ?? "" });
        return { body: { ok: true } };
      },
    }),
    route("GET /engine/v1/dev/runs/:run/snapshots/latest", {
      access: "environment",
      reply: WorkerApiRunLatestSnapshotResponseBody,
      handle: ({ params }) => {
        const run = requireRun(db, params.run);
        engine.deliveries.read(run);
        return { body: { execution: executionData(db, run) } };
      },
    }),
    route("POST /engine/v1/dev/runs/:run/logs/debug", {
      access: "environment",
      body: WorkerApiDebugLogBodyInput,
      reply: z.object({}),
      handle: ({ params, body }) => {
        const { id } = requireRun(db, params.run);
        addLog(db, {
          runId: id,
          kind: "debug",
          timeNs: `${body.time.getTime()}000000`,
          severity: "DEBUG",
          body: body.message,
          attributes: body.properties ?? {},
          spanId: null,
        });
        return { body: {} };
      },
    }),
    route("POST /engine/v1/dev/disconnect", {
      access: "environment",
      body: DevDisconnectRequestBody,
      reply: DevDisconnectResponseBody,
      handle: ({ body }) => {
        let cancelled = 0;
        journal.write("disconnected", undefined, { runs: body.runFriendlyIds });
        for (const id of body.runFriendlyIds) {
          const { state } = requireRun(db, id);
          if (state.execution === "FINISHED") continue;
          const reason = "Dev session ended (CLI exited)";
          if (engine.cancel(id, { reason, finalize: true })) cancelled++;
        }
        return { body: { cancelled } };
      },
    }),
  ];
}

/** The project's variables for a worker: at build time, and anew with every attempt. */
function variablesOf({ url, workerVariables }: Services): Record<string, string> {
  return {
    ...workerVariables,
    TRIGGER_OTEL_EXPORTER_OTLP_ENDPOINT: `${url()}/otel`,
    TRIGGER_STREAM_URL: url(),
  };
}
