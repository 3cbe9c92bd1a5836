// Reads what the servers of a stack recorded. The demo's numbers come from here and not from the
// code that is shown.

import { ConvexHttpClient } from "convex/browser";
import { api } from "../../../app/convex/_generated/api.js";
import schema from "../../../app/convex/schema.ts";
import { LOCAL_OWNER_ID } from "../../stack/demo-project.ts";
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

export interface SentryEvent {
  tags?: Record<string, string>;
  exception?: { values?: { type?: string; value?: string }[] };
}

export const CONVEX_TABLES = Object.keys(schema.tables);

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

/** All documents of a table. */
export function tableOf<T>(stack: Stack, table: string): Promise<T[]> {
  return get(stack.admin("convex"), `/admin/tables?table=${table}`);
}

export async function sentryEvents(stack: Stack): Promise<SentryEvent[]> {
  return (await get<{ events: SentryEvent[] }>(stack.admin("sentry"), "/admin/events")).events;
}

/** Everything that came to Sentry, as it came. */
export async function sentryRaw(stack: Stack): Promise<string> {
  const { url, adminKey } = stack.admin("sentry");
  const response = await fetch(`${url}/admin/raw`, { headers: { "x-polaris-admin": adminKey } });
  if (!response.ok) throw new Error(`/admin/raw: ${response.status}`);
  return await response.text();
}

/** A project without files. */
export function emptyProjectIn(stack: Stack, name: string): Promise<string> {
  const { convex, internalKey } = storeOf(stack);
  return convex.mutation(api.system.createProject, { internalKey, name, ownerId: LOCAL_OWNER_ID });
}

/** The contents of a project's files, by path. */
export async function storedFiles(stack: Stack, projectId: string): Promise<Map<string, string>> {
  const { convex, internalKey } = storeOf(stack);
  const rows = await convex.query(api.system.getAllProjectFiles, { internalKey, projectId });
  const files = rows.filter(({ type }) => type === "file");
  return new Map(files.map(({ path, content }) => [path, content ?? ""]));
}

function storeOf({ env }: Stack): { convex: ConvexHttpClient; internalKey: string } {
  const { CONVEX_URL = "", POLARIS_CONVEX_INTERNAL_KEY: internalKey = "" } = env;
  return { convex: new ConvexHttpClient(CONVEX_URL), internalKey };
}
