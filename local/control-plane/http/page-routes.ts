// The page at `/` and what it asks for. A browser holds no key of the API: the page carries a random
// token of this process, and only requests that send it back as a header are answered, so that no
// other page in the same browser can read a run or cancel one.

import { readFileSync } from "node:fs";
import { z } from "zod";
import { retrieveView } from "../runs/views.ts";
import { attemptsOf, listRuns, snapshotsOf } from "../store/runs.ts";
import { logsOf, spansOf } from "../store/telemetry.ts";
import { readFilter } from "./api-routes.ts";
import { requireRun, type Services, untilGone } from "./context.ts";
import { type Route, rawRoute, route } from "./router.ts";

const PAGE_HTML = readFileSync(new URL("../page/runs.html", import.meta.url), "utf8");
const MAX_WAIT_MS = 20_000;
const Anything = z.record(z.string(), z.unknown());

export function pageRoutes(services: Services, token: string, nonce: () => string): Route[] {
  const { db, engine, journal } = services;
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
        const runs = listRuns(db, { ...readFilter(query), limit: 100 }).map((run) => ({
          id: run.id,
          task: run.task,
          status: run.state.status,
          execution: run.state.execution,
          attempts: run.state.attempt,
          version: run.facts.version ?? null,
          createdAt: run.createdAt,
          startedAt: run.facts.startedAt ?? null,
          finishedAt: run.finishedAt,
          error: run.error,
        }));
        return { body: { runs, now: Date.now() } };
      },
    }),
    route("GET /page/runs/:run", {
      access: "page",
      reply: Anything,
      handle: async ({ params }) => {
        const run = requireRun(db, params.run);
        return {
          body: {
            run: await retrieveView(db, run),
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
