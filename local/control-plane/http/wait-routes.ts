// What a run asks for to wait: a time, or a batch of other runs. (A wait for one run is an option of
// its trigger.) And what ends the memory that waits and triggers rely on: resetting an idempotency key.

import {
  BatchItemNDJSON,
  CreateBatchRequestBody,
  CreateBatchResponse,
  ResetIdempotencyKeyResponse,
  RetrieveBatchV2Response,
  StreamBatchItemsResponse,
  WaitForDurationRequestBody,
  WaitForDurationResponseBody,
} from "@trigger.dev/core/v3";
import { z } from "zod";
import { addBatchItems, createBatch } from "../runs/batch.ts";
import { keyExpiry } from "../runs/trigger.ts";
import { batchView } from "../runs/wait-views.ts";
import { type Batch, findBatch } from "../store/batches.ts";
import { branchOf, header, requireRun, type Services } from "./context.ts";
import { HttpError, parseBody, type Route, rawRoute, route, sendChecked } from "./router.ts";

export function waitRoutes(services: Services): Route[] {
  const { db, engine } = services;
  const requireBatch = (id: string | undefined): Batch => {
    const batch = id === undefined ? undefined : findBatch(db, id);
    if (batch === undefined) throw new HttpError(404, "Batch not found");
    return batch;
  };
  const retrieve = (path: string): Route =>
    route(path, {
      access: "environment",
      reply: RetrieveBatchV2Response,
      handle: ({ params }) => ({ body: batchView(db, requireBatch(params.batch)) }),
    });

  return [
    route("POST /engine/v1/runs/:run/wait/duration", {
      access: "environment",
      body: WaitForDurationRequestBody,
      reply: WaitForDurationResponseBody,
      handle: ({ params, body }) => {
        const { id } = requireRun(db, params.run);
        const { date, idempotencyKey: key, idempotencyKeyTTL: ttl } = body;
        const known =
          key === undefined ? undefined : { key, expiresAt: keyExpiry(ttl, Date.now()) };
        const waitpoint = engine.waits.onTime(id, date.getTime(), known);
        return {
          body: {
            waitUntil: new Date(waitpoint.completedAfter ?? date),
            waitpoint: { id: waitpoint.id },
          },
        };
      },
    }),
    route("POST /api/v3/batches", {
      access: "environment",
      body: CreateBatchRequestBody,
      reply: CreateBatchResponse,
      handle: ({ body, headers }) => {
        const requestKey = header(headers["x-trigger-request-idempotency-key"]);
        const { batch, isCached } = createBatch({ db, engine }, body, requestKey);
        const { id, runCount, key } = batch;
        return {
          body: { id, runCount, isCached, ...(key === null ? {} : { idempotencyKey: key }) },
        };
      },
    }),
    rawRoute("POST /api/v3/batches/:batch/items", "environment", async (call) => {
      const { params, body, headers, response } = call;
      const batch = requireBatch(params.batch);
      const lines = body.split("\n").filter((line) => line.trim() !== "");
      // All of them are read before the first one is triggered.
      const items = lines.map((line) => parseBody(BatchItemNDJSON, line));
      const handed = await addBatchItems({ db, engine }, batch, items, {
        branch: branchOf(headers),
        traceparent: header(headers.traceparent),
      });
      const { accepted, deduplicated, sealed, present } = handed;
      sendChecked(response, StreamBatchItemsResponse, {
        id: batch.id,
        itemsAccepted: accepted,
        itemsDeduplicated: deduplicated,
        sealed,
        ...(sealed ? {} : { enqueuedCount: present, expectedCount: batch.runCount }),
      });
    }),
    retrieve("GET /api/v1/batches/:batch"),
    retrieve("GET /api/v2/batches/:batch"),
    route("POST /api/v1/idempotencyKeys/:key/reset", {
      access: "environment",
      body: z.object({ taskIdentifier: z.string() }),
      reply: ResetIdempotencyKeyResponse,
      handle: ({ params, body }) => {
        const { key = "" } = params;
        const sql = "delete from idempotency_keys where task = ? and key = ?";
        const { changes } = db.run(sql, [body.taskIdentifier, key]);
        if (changes === 0) throw new HttpError(404, "No run with this idempotency key");
        return { body: { id: key } };
      },
    }),
  ];
}
