// The demo's fourth part: a job that fails. The run is failed, Sentry hears of it once, and none of the
// installation's keys can be found in what Sentry, the control plane and Convex were given.

import { existsSync } from "node:fs";
import { join } from "node:path";
import Libsql from "libsql";
import type { demoError } from "../../../trigger/tasks/demo-error.ts";
import type { Stack } from "../../stack/index.ts";
import { SERVICE_NAMES } from "../../stack/services.ts";
import { CONVEX_TABLES, runEvent, sentryEvents, sentryRaw, tableOf } from "./servers.ts";

export interface ErrorResult {
  runStatus: string;
  sentryEvents: number;
  /** Places in which one of the installation's keys was found. */
  secretsLeaked: number;
}

const MESSAGE = "Trigger.dev error: Background job failed!";
/** Keys are longer; shorter values would be found by chance. */
const MIN_KEY_LENGTH = 8;

export async function errorPart(
  stack: Stack,
  progress: (line: string) => void,
): Promise<{ result: ErrorResult; held: boolean }> {
  const { runner } = await import("../../../app/src/server/clients.ts");
  const { tasks, runs } = runner();
  const { id: runId } = await tasks.trigger<typeof demoError>("demo-error", undefined);
  await runEvent(stack, runId, "finished");
  const { status, error } = await runs.retrieve(runId);
  // The worker sends its report before the run is over.
  const events = (await sentryEvents(stack)).filter(({ tags }) => tags?.runId === runId);
  const [event] = events;
  const told = event?.exception?.values?.some(({ value }) => value === MESSAGE) === true;
  if (error?.message !== MESSAGE) progress(`  the run's error is ${error?.message}`);
  if (!told || event?.tags?.taskId !== "demo-error") progress("  Sentry was told something else");

  const leaks = await leakedSecrets(stack);
  for (const leak of leaks) progress(`  ${leak}`);
  const result: ErrorResult = {
    runStatus: status,
    sentryEvents: events.length,
    secretsLeaked: leaks.length,
  };
  const held =
    status === "FAILED" &&
    error?.message === MESSAGE &&
    told &&
    events.length === 1 &&
    leaks.length === 0;
  return { result, held };
}

/** Every place in which a key of the installation stands and should not, by the key's name. */
export async function leakedSecrets(stack: Stack): Promise<string[]> {
  const places: [string, string][] = [["Sentry's envelopes", await sentryRaw(stack)]];
  for (const table of CONVEX_TABLES) {
    places.push([`Convex table ${table}`, JSON.stringify(await tableOf(stack, table))]);
  }
  places.push(...controlPlaneRows(stack));
  return secretsOf(stack).flatMap(([name, value]) =>
    places
      .filter(([, text]) => text.includes(value))
      .map(([place]) => `${name} stands in ${place}`),
  );
}

function secretsOf(stack: Stack): [string, string][] {
  const admins = SERVICE_NAMES.map((name): [string, string] => [
    `admin key of ${name}`,
    stack.admin(name).adminKey,
  ]);
  const named = Object.entries(stack.env).filter(([name]) => /(KEY|SECRET|TOKEN)$/.test(name));
  return [...named, ...admins].filter(([, value]) => value.length >= MIN_KEY_LENGTH);
}

/** Everything that the control plane keeps, table by table. */
function controlPlaneRows(stack: Stack): [string, string][] {
  const path = join(stack.state, "control-plane", "control-plane.db");
  if (!existsSync(path)) throw new Error(`the control plane's database is not at ${path}`);
  const db = new Libsql(path, { readonly: true });
  try {
    const tables = db.prepare("select name from sqlite_master where type = 'table'").all() as {
      name: string;
    }[];
    return tables.map(({ name }) => {
      const rows = db.prepare(`select * from "${name}"`).all() as Record<string, unknown>[];
      const text = rows.flatMap((row) => Object.values(row).map(textOf)).join("\n");
      return [`control plane table ${name}`, text];
    });
  } finally {
    db.close();
  }
}

function textOf(value: unknown): string {
  return value instanceof Uint8Array || value instanceof ArrayBuffer
    ? Buffer.from(value as Uint8Array).toString("latin1")
    : String(value);
}
