// Reads what the servers of a stack recorded. The demo's numbers come from here and not from the
// code that is shown.

import type { Stack } from "../../stack/index.ts";

export interface ConvexCall {
  seq: number;
  /** When the call came in; epoch milliseconds. */
  at: number;
  path: string;
  ok: boolean;
  messageId?: string;
  documentsChanged: string[];
  /** UTF-16 length of the content that was written. */
  wroteText?: number;
  /** Of the message, after the call. */
  status?: string;
}

export interface RunEvent {
  seq: number;
  at: number;
  type: string;
  runId?: string;
  data: Record<string, unknown>;
}

const WAIT_MS = 10_000;

async function get<T>(admin: { url: string; adminKey: string }, path: string): Promise<T> {
  const response = await fetch(admin.url + path, {
    headers: { "x-polaris-admin": admin.adminKey },
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** Commits that changed this message, in order. */
export async function commitsOf(stack: Stack, messageId: string): Promise<ConvexCall[]> {
  const log = await get<{ entries: ConvexCall[] }>(stack.admin("convex"), "/admin/log?since=0");
  return log.entries.filter((call) => call.ok && call.documentsChanged.includes(messageId));
}

/** The first event of a run that fits; fails when it does not come in time. */
export async function runEvent(
  stack: Stack,
  runId: string,
  type: string,
  timeoutMs = 60_000,
): Promise<RunEvent> {
  const until = Date.now() + timeoutMs;
  let since = 0;
  while (Date.now() < until) {
    const path = `/admin/log?since=${since}&wait=${Math.min(WAIT_MS, until - Date.now())}`;
    const log = await get<{ events: RunEvent[] }>(stack.admin("control-plane"), path);
    for (const event of log.events) {
      since = event.seq;
      if (event.runId === runId && event.type === type) return event;
    }
  }
  throw new Error(`the run ${runId} was not "${type}" within ${timeoutMs} ms`);
}
