// The page at `/` and what it asks for. A browser holds no key of the API: the page carries a random
// token of this process, and only requests that send it back as a header are answered, so that no
// other page in the same browser can read a run or cancel one.

import { readFileSync } from "node:fs";
import { z } from "zod";
import type { Packets } from "../packets.ts";
import { STORED } from "../packets.ts";
import { replayRun, triggerRun } from "../runs/trigger.ts";
import { readPacket, retrieveView } from "../runs/views.ts";
import { attemptsOf, childrenOf, findRun, listRuns, type Run, snapshotsOf } from "../store/runs.ts";
import { logsOf, spansOf } from "../store/telemetry.ts";
import { newestWorkers } from "../store/workers.ts";
import { readFilter } from "./api-routes.ts";
import { requireRun, type Services, untilGone } from "./context.ts";
import { HttpError, type Route, rawRoute, route } from "./router.ts";

const PAGE_HTML = readFileSync(new URL("../page/runs.html", import.meta.url), "utf8");
const MAX_WAIT_MS = 20_000;
/** More of a payload or output than this is not shown. */
const MAX_SHOWN_CHARACTERS = 100_000;
const Anything = z.record(z.string(), z.unknown());
const TestBody = z.object({ payload: z.string(), branch: z.string().nullable().default(null) });

export function pageRoutes(services: Services, token: string, nonce: () => string): Route[] {
  const { db, engine, journal, packets } = services;
  return [
    rawRoute("GET /", "open", async ({ response }) => {
      const scriptNonce = nonce();
      response.writeHead(200, {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-security-policy":
          `default-src 'none'; style-src 'nonce-${scriptNonce}'; script-src 'nonce-${scriptNonce}'; ` +
          "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      });
      response.end(PAGE_HTML.replaceAll("{{nonce}}", scriptNonce).replaceAll("{{token}}", token));
    }),
    route("GET /page/runs", {
      access: "page",
      reply: Anything,
      handle: ({ query }) => {
        const runs = listRuns(db, { ...readFilter(query), limit: 100 }).map(rowOf);
        return { body: { runs, now: Date.now() } };
      },
    }),
    route("GET /page/runs/:run", {
      access: "page",
      reply: Anything,
      handle: async ({ params }) => {
        const run = requireRun(db, params.run);
        const parent = run.parentId === null ? undefined : findRun(db, run.parentId);
        const root = run.rootId === null ? undefined : findRun(db, run.rootId);
        return {
          body: {
            run: {
              ...(await retrieveView(db, run, packets)),
              payload: await shown(packets, run.payload, run.payloadType),
              output: await shown(packets, run.output, run.outputType),
            },
            parent: parent && rowOf(parent),
            root: root && rowOf(root),
            children: childrenOf(db, run.id).map(rowOf),
            queue: run.facts.queue,
            status: run.state.status,
            execution: run.state.execution,
            machine: run.facts.machine ?? null,
            error: run.error,
            attempts: attemptsOf(db, run.id),
            snapshots: snapshotsOf(db, run.id),
            spans: spansOf(db, run.id),
            logs: logsOf(db, run.id, "log"),
            now: Date.now(),
          },
        };
      },
    }),
    route("POST /page/runs/:run/cancel", {
      access: "page",
      reply: Anything,
      handle: ({ params }) => {
        const { id } = requireRun(db, params.run);
        return { body: { id, wasRunning: engine.cancel(id) } };
      },
    }),
    route("POST /page/runs/:run/replay", {
      access: "page",
      reply: Anything,
      handle: async ({ params }) => {
        const run = requireRun(db, params.run);
        return { body: { id: (await replayRun(db, engine, run)).id } };
      },
    }),
    // Every task of the newest version of each branch, to be run by hand.
    route("GET /page/tasks", {
      access: "page",
      reply: Anything,
      handle: () => {
        const tasks = newestWorkers(db).flatMap(({ branch, version, tasks: all }) =>
          all.map(({ id, filePath, payloadSchema }) => ({
            id,
            filePath,
            branch,
            version,
            example: exampleOf(payloadSchema),
          })),
        );
        return { body: { tasks } };
      },
    }),
    route("POST /page/tasks/:task/test", {
      access: "page",
      body: TestBody,
      reply: Anything,
      handle: async ({ params, body }) => {
        const { task = "" } = params;
        const worker = newestWorkers(db).find(({ branch }) => branch === body.branch);
        if (!worker?.tasks.some(({ id }) => id === task))
          throw new HttpError(404, "Task not found");
        const { id } = await triggerRun(db, engine, {
          task,
          payload: jsonText(body.payload),
          options: { payloadType: "application/json", test: true },
          branch: body.branch,
          requestKey: undefined,
          traceparent: undefined,
        });
        return { body: { id } };
      },
    }),
    // Held until something has happened since `seq`; the page then asks for what it shows.
    route("GET /page/changes", {
      access: "page",
      reply: z.object({ seq: z.number() }),
      handle: async ({ query, response }) => {
        const since = Number(query.get("since") ?? 0);
        const newest = (): number => journal.newest();
        if (newest() === since) {
          const gone = untilGone(services, response);
          await new Promise<void>((settle) => {
            const done = (): void => {
              clearTimeout(timer);
              stop();
              settle();
            };
            const timer = setTimeout(done, MAX_WAIT_MS);
            const stop = journal.listen(done);
            gone.addEventListener("abort", done);
          });
        }
        return { body: { seq: newest() } };
      },
    }),
  ];
}

function rowOf(run: Run) {
  return {
    id: run.id,
    task: run.task,
    status: run.state.status,
    execution: run.state.execution,
    attempts: run.state.attempt,
    version: run.facts.version ?? null,
    parentId: run.parentId,
    createdAt: run.createdAt,
    startedAt: run.facts.startedAt ?? null,
    finishedAt: run.finishedAt,
    error: run.error,
  };
}

/** A payload or output for a person: also what is stored apart, cut where it is too long to read. */
async function shown(packets: Packets, data: string | null, type: string | null): Promise<unknown> {
  const stored = data !== null && type === STORED ? packets.get(data) : undefined;
  const text = stored?.data ?? data;
  const dataType = stored?.contentType ?? type ?? "application/json";
  if (text !== null && text.length > MAX_SHOWN_CHARACTERS) {
    return `${text.slice(0, MAX_SHOWN_CHARACTERS)}… (${text.length} characters)`;
  }
  if (dataType === STORED) return "not stored any more";
  return (await readPacket(text, dataType)) ?? null;
}

/** The first example of a task's schema, if it declares one: what its form begins with. */
function exampleOf(schema: unknown): unknown {
  const examples = (schema as { examples?: unknown } | null | undefined)?.examples;
  return Array.isArray(examples) ? (examples[0] ?? {}) : {};
}

function jsonText(text: string): string | undefined {
  if (text.trim() === "") return undefined;
  try {
    JSON.parse(text);
  } catch (error) {
    throw new HttpError(
      400,
      `The payload is not JSON: ${error instanceof Error ? error.message : ""}`,
    );
  }
  return text;
}
