// The same calls on two back ends, the host and convex-test, with what may differ taken out: ids become
// the order in which they were seen, times vanish, error texts are not compared (codes are).
import { makeFunctionReference, type SchemaDefinition } from "convex/server";
import { ConvexError, compareValues, type Value } from "convex/values";
import { convexTest } from "convex-test";
import { letFarTimersGo } from "../../../__test__/far-timers.ts";
import type { Convex } from "../index.ts";
import { httpClient } from "./harness.ts";

export type Kind = "query" | "mutation";
export type Modules = Record<string, () => Promise<unknown>>;
type Run = (kind: Kind, name: string, args: Record<string, Value>) => Promise<unknown>;

export interface Back {
  name: string;
  run: Run;
  /** Ids in the order of their creation. */
  ids: string[];
}

export type Outcome = { ok: true; value: unknown } | { ok: false; code: string | null };

export function hostBack(convex: Convex): Back {
  const client = httpClient(convex);
  return {
    name: "host",
    ids: [],
    run: (kind, name, args) =>
      kind === "query"
        ? client.query(makeFunctionReference<"query">(name), args)
        : client.mutation(makeFunctionReference<"mutation">(name), args),
  };
}

letFarTimersGo();

// biome-ignore lint/suspicious/noExplicitAny: the parameters of a schema of which nothing is known
export function convexTestBack(schema: SchemaDefinition<any, boolean>, modules: Modules): Back {
  const backend = convexTest({ schema, modules });
  return {
    name: "convex-test",
    ids: [],
    run: (kind, name, args) =>
      kind === "query"
        ? backend.query(makeFunctionReference<"query">(name), args)
        : backend.mutation(makeFunctionReference<"mutation">(name), args),
  };
}

export async function outcomeOf(
  back: Back,
  kind: Kind,
  name: string,
  args: Record<string, Value>,
): Promise<Outcome> {
  try {
    return { ok: true, value: await back.run(kind, name, args) };
  } catch (error) {
    const data = error instanceof ConvexError ? (error.data as { code?: string }) : null;
    return { ok: false, code: data?.code ?? null };
  }
}

const TIMES = new Set(["_creationTime", "updatedAt", "createdAt", "before"]);

export function normalize(value: unknown, ids: string[]): unknown {
  if (typeof value === "string") {
    const at = ids.indexOf(value);
    return at === -1 ? value : `#${at}`;
  }
  if (Array.isArray(value)) return value.map((item) => normalize(item, ids));
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  if (typeof value !== "object" || value === null) return value;
  // A document that no call has named yet: both back ends show it at the same place.
  const { _id } = value as { _id?: unknown };
  if (typeof _id === "string" && !ids.includes(_id)) ids.push(_id);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !TIMES.has(key))
      .sort(([a], [b]) => compareValues(a, b))
      .map(([key, item]) => [key, normalize(item, ids)]),
  );
}
