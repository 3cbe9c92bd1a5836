// What the official SDK asks for, from the application and from inside a run: trigger, read, cancel,
// replay, tags, metadata.

import {
  AddTagsRequestBody,
  CanceledRunResponse,
  ListRunResponse,
  ReplayRunRequestBody,
  ReplayRunResponse,
  RetrieveRunResponse,
  RunStatus,
  TaskRunExecutionResult,
  TriggerTaskRequestBody,
  TriggerTaskResponse,
  UpdateMetadataRequestBody,
  UpdateMetadataResponseBody,
} from "@trigger.dev/core/v3";
import { z } from "zod";
import { updateMetadata } from "../runs/metadata.ts";
import { addRunTags, replayRun, triggerRun } from "../runs/trigger.ts";
import { listView, resultView, retrieveView, storedStatuses } from "../runs/views.ts";
import { listRuns, type RunFilter, tagsOf } from "../store/runs.ts";
import { branchOf, header, requireRun, type Services } from "./context.ts";
import { HttpError, type Route, route } from "./router.ts";

const DEFAULT_PAGE_SIZE = 25;
const MAX_PAGE_SIZE = 100;

export function apiRoutes(services: Services): Route[] {
  const { db, engine, keys } = services;
  return [
    route("POST /api/v1/tasks/:task/trigger", {
      access: "environment",
      body: TriggerTaskRequestBody,
      reply: TriggerTaskResponse,
      handle: async ({ params, body, headers }) => ({
        body: await triggerRun(db, engine, {
          task: params.task ?? "",
          payload: body.payload,
          options: body.options ?? {},
          branch: branchOf(headers),
          requestKey: header(headers["x-trigger-request-idempotency-key"]),
          traceparent: header(headers.traceparent),
        }),
      }),
    }),
    route("GET /api/v3/runs/:run", {
      access: "environment",
      reply: RetrieveRunResponse,
      handle: async ({ params }) => ({
        body: await retrieveView(db, requireRun(db, params.run), services.packets),
      }),
    }),
    route("GET /api/v1/runs", {
      access: "environment",
      reply: ListRunResponse,
      handle: ({ query }) => {
        const filter = readFilter(query);
        const backward = filter.before !== undefined;
        // One more than asked for tells whether there is another page.
        const found = listRuns(db, { ...filter, limit: filter.limit + 1 });
        const more = found.length > filter.limit;
        const runs = backward && more ? found.slice(1) : found.slice(0, filter.limit);
        const first = runs[0]?.id;
        const last = runs.at(-1)?.id;
        const hasPrevious = backward ? more : filter.after !== undefined;
        const hasNext = backward || more;
        return {
          body: {
            data: runs.map((run) => listView(db, keys, run)),
            pagination: {
              ...(hasNext && last !== undefined ? { next: last } : {}),
              ...(hasPrevious && first !== undefined ? { previous: first } : {}),
            },
          },
        };
      },
    }),
    route("GET /api/v1/runs/:run/result", {
      access: "environment",
      reply: TaskRunExecutionResult,
      handle: ({ params }) => {
        const result = resultView(requireRun(db, params.run));
        if (result === undefined) {
          throw new HttpError(404, "Run either doesn't exist or is not finished");
        }
        return { body: result };
      },
    }),
    route("POST /api/v2/runs/:run/cancel", {
      access: "environment",
      reply: CanceledRunResponse,
      handle: ({ params }) => {
        const { id } = requireRun(db, params.run);
        // A run that is final already is answered alike, and stays as it is.
        engine.cancel(id);
        return { body: { id } };
      },
    }),
    route("POST /api/v1/runs/:run/replay", {
      access: "environment",
      body: ReplayRunRequestBody,
      reply: ReplayRunResponse,
      handle: async ({ params, body, headers }) => {
        const run = requireRun(db, params.run);
        const { payload, queue, version, region: _region, ...options } = body;
        const triggered = await replayRun(db, engine, run, {
          payload,
          requestKey: header(headers["x-trigger-request-idempotency-key"]),
          options: {
            ...options,
            lockToVersion: version,
            ...(queue === undefined ? {} : { queue: { name: queue } }),
          },
        });
        return { body: { id: triggered.id } };
      },
    }),
    route("PUT /api/v1/runs/:run/metadata", {
      access: "environment",
      body: UpdateMetadataRequestBody,
      reply: UpdateMetadataResponseBody,
      handle: ({ params, body }) => ({
        body: { metadata: updateMetadata(db, params.run ?? "", body) },
      }),
    }),
    route("GET /api/v1/runs/:run/metadata", {
      access: "environment",
      reply: UpdateMetadataResponseBody,
      handle: ({ params }) => ({
        body: { metadata: requireRun(db, params.run).metadata ?? {} },
      }),
    }),
    route("POST /api/v1/runs/:run/tags", {
      access: "environment",
      body: AddTagsRequestBody,
      reply: z.object({ message: z.string() }),
      handle: ({ params, body }) => {
        const run = requireRun(db, params.run);
        const tags = typeof body.tags === "string" ? [body.tags] : body.tags;
        const added = addRunTags(db, run, tagsOf(db, run.id), tags);
        const message = added === 0 ? "No new tags to add" : `Successfully set ${added} new tags.`;
        return { body: { message } };
      },
    }),
  ];
}

export function readFilter(query: URLSearchParams): RunFilter {
  const list = (name: string): string[] | undefined => {
    const text = query.get(`filter[${name}]`);
    return text ? text.split(",").filter((each) => each !== "") : undefined;
  };
  const filter: RunFilter = { limit: readLimit(query.get("page[size]")) };
  const statuses = list("status");
  if (statuses !== undefined) {
    filter.statuses = statuses.flatMap((text) => {
      const status = RunStatus.safeParse(text);
      if (!status.success) throw new HttpError(400, `Invalid status values: ${text}`);
      return storedStatuses(status.data);
    });
  }
  const tasks = list("taskIdentifier");
  if (tasks !== undefined) filter.tasks = tasks;
  const tags = list("tag");
  if (tags !== undefined) filter.tags = tags;
  const versions = list("version");
  if (versions !== undefined) filter.versions = versions;
  const isTest = query.get("filter[isTest]");
  if (isTest === "true" || isTest === "false") filter.isTest = isTest === "true";
  const from = readDate(query.get("filter[createdAt][from]"));
  if (from !== undefined) filter.from = from;
  const to = readDate(query.get("filter[createdAt][to]"));
  if (to !== undefined) filter.to = to;
  const after = query.get("page[after]");
  const before = query.get("page[before]");
  // The SDK sends both when it goes back from a page; as officially, the way back wins.
  if (before) filter.before = before;
  else if (after) filter.after = after;
  return filter;
}

function readLimit(text: string | null): number {
  if (text === null) return DEFAULT_PAGE_SIZE;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE_SIZE) {
    throw new HttpError(400, `page[size] is a number from 1 to ${MAX_PAGE_SIZE}`);
  }
  return limit;
}

function readDate(text: string | null): number | undefined {
  if (!text) return undefined;
  const at = /^\d+$/.test(text) ? Number(text) : new Date(text).getTime();
  if (Number.isNaN(at)) throw new HttpError(400, `Invalid date ${text}`);
  return at;
}
