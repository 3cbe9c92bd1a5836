// What tests and the local stack ask: the journal, and waiting for the next event of it.
// Guarded by the admin key of the ready line; not part of any Trigger.dev API.

import { z } from "zod";
import type { JournalEvent } from "../store/journal.ts";
import { type Services, untilGone } from "./context.ts";
import { HttpError, type Route, route } from "./router.ts";

const MAX_WAIT_MS = 30_000;

const Log = z.object({
  now: z.number(),
  events: z.array(
    z.object({
      seq: z.number(),
      at: z.number(),
      type: z.string(),
      runId: z.string().optional(),
      data: z.record(z.string(), z.unknown()),
    }),
  ),
});

export function adminRoutes(services: Services): Route[] {
  const { journal } = services;
  return [
    // `since` = the last `seq` that the caller has; `wait` = hold the request until there is more.
    route("GET /admin/log", {
      access: "admin",
      reply: Log,
      handle: async ({ query, response }) => {
        const since = readNumber(query, "since", 0);
        const wait = Math.min(readNumber(query, "wait", 0), MAX_WAIT_MS);
        let events = journal.since(since);
        if (events.length === 0 && wait > 0) {
          await nextEvent(services, wait, untilGone(services, response));
          events = journal.since(since);
        }
        return { body: { now: performance.timeOrigin + performance.now(), events } };
      },
    }),
  ];
}

function nextEvent({ journal }: Services, ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((settle) => {
    const done = (_event?: JournalEvent | Event): void => {
      clearTimeout(timer);
      stop();
      gone.removeEventListener("abort", done);
      settle();
    };
    const timer = setTimeout(done, ms);
    const stop = journal.listen(done);
    gone.addEventListener("abort", done);
    if (gone.aborted) done();
  });
}

function readNumber(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  if (text === null || text === "") return otherwise;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new HttpError(400, `${name} is a number`);
  return value;
}
