// The OTLP/HTTP intake that workers export to: JSON, without authorization, as officially.
// Keeps the spans and logs of runs that are known here; everything else is dropped.

import { z } from "zod";
import { findRun, findRunIdByTrace } from "../store/runs.ts";
import { addLog, addSpan, type Span } from "../store/telemetry.ts";
import type { Services } from "./context.ts";
import { type Route, route } from "./router.ts";

const RUN_ID = "ctx.run.id";
const PARTIAL = "$span.partial";
const STATUS = ["UNSET", "OK", "ERROR"] as const;

type AnyValue = z.infer<typeof AnyValue>;
const AnyValue = z.record(z.string(), z.unknown());
const Attributes = z
  .array(z.object({ key: z.string(), value: AnyValue.optional() }))
  .default([])
  .transform((list) => {
    const attributes: Record<string, unknown> = {};
    for (const { key, value } of list) attributes[key] = plain(value);
    return attributes;
  });
const Nanoseconds = z.union([z.string(), z.number()]).transform(String);
const Resource = z.object({ attributes: Attributes }).optional();

const OtlpSpan = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  startTimeUnixNano: Nanoseconds,
  endTimeUnixNano: Nanoseconds,
  attributes: Attributes,
  status: z.object({ code: z.number().optional() }).optional(),
  events: z
    .array(z.object({ name: z.string(), timeUnixNano: Nanoseconds, attributes: Attributes }))
    .default([]),
});

const OtlpLog = z.object({
  timeUnixNano: Nanoseconds.optional(),
  observedTimeUnixNano: Nanoseconds.optional(),
  severityText: z.string().optional(),
  body: AnyValue.optional(),
  attributes: Attributes,
  spanId: z.string().optional(),
  traceId: z.string().optional(),
});

const Traces = z.object({
  resourceSpans: z
    .array(
      z.object({
        resource: Resource,
        scopeSpans: z.array(z.object({ spans: z.array(OtlpSpan).default([]) })).default([]),
      }),
    )
    .default([]),
});

const Logs = z.object({
  resourceLogs: z
    .array(
      z.object({
        resource: Resource,
        scopeLogs: z.array(z.object({ logRecords: z.array(OtlpLog).default([]) })).default([]),
      }),
    )
    .default([]),
});

export function otelRoutes({ db }: Services): Route[] {
  const runOf = (
    attributes: Record<string, unknown>,
    resource: Record<string, unknown>,
    traceId: string | undefined,
  ): string | undefined => {
    const named = attributes[RUN_ID] ?? resource[RUN_ID];
    if (typeof named === "string") return findRun(db, named)?.id;
    return traceId === undefined ? undefined : findRunIdByTrace(db, traceId);
  };

  return [
    route("POST /otel/v1/traces", {
      access: "open",
      body: Traces,
      reply: z.object({}),
      handle: ({ body }) => {
        db.transaction(() => {
          for (const { resource, scopeSpans } of body.resourceSpans) {
            for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
              const runId = runOf(span.attributes, resource?.attributes ?? {}, span.traceId);
              if (runId !== undefined) addSpan(db, toSpan(runId, span));
            }
          }
        });
        return { body: {} };
      },
    }),
    route("POST /otel/v1/logs", {
      access: "open",
      body: Logs,
      reply: z.object({}),
      handle: ({ body }) => {
        db.transaction(() => {
          for (const { resource, scopeLogs } of body.resourceLogs) {
            for (const log of scopeLogs.flatMap((scope) => scope.logRecords)) {
              const runId = runOf(log.attributes, resource?.attributes ?? {}, log.traceId);
              if (runId === undefined) continue;
              const text = plain(log.body);
              addLog(db, {
                runId,
                kind: "log",
                timeNs: log.timeUnixNano ?? log.observedTimeUnixNano ?? "0",
                severity: log.severityText ?? "INFO",
                body: typeof text === "string" ? text : JSON.stringify(text ?? null),
                attributes: log.attributes,
                spanId: log.spanId || null,
              });
            }
          }
        });
        return { body: {} };
      },
    }),
    // Process metrics of the workers: accepted, so that the exporter is content, and not kept.
    route("POST /otel/v1/metrics", {
      access: "open",
      reply: z.object({}),
      handle: () => ({ body: {} }),
    }),
  ];
}

function toSpan(runId: string, span: z.infer<typeof OtlpSpan>): Span {
  return {
    runId,
    traceId: span.traceId,
    spanId: span.spanId,
    parentId: span.parentSpanId || null,
    name: span.name,
    startNs: span.startTimeUnixNano,
    endNs: span.endTimeUnixNano,
    status: STATUS[span.status?.code ?? 0] ?? "UNSET",
    attributes: span.attributes,
    events: span.events.map(({ name, timeUnixNano, attributes }) => ({
      name,
      timeNs: timeUnixNano,
      attributes,
    })),
    partial: span.attributes[PARTIAL] === true,
  };
}

/** An OTLP value (`{stringValue: "x"}`, arrays and lists of pairs nested) as a plain one. */
function plain(value: AnyValue | undefined): unknown {
  if (value === undefined) return undefined;
  if ("stringValue" in value) return value.stringValue;
  if ("boolValue" in value) return value.boolValue;
  if ("intValue" in value) return Number(value.intValue);
  if ("doubleValue" in value) return value.doubleValue;
  if ("bytesValue" in value) return value.bytesValue;
  if ("arrayValue" in value) {
    const list = z.object({ values: z.array(AnyValue).default([]) }).safeParse(value.arrayValue);
    return list.success ? list.data.values.map(plain) : [];
  }
  if ("kvlistValue" in value) {
    const pairs = z.object({ values: Attributes }).safeParse(value.kvlistValue);
    return pairs.success ? pairs.data.values : {};
  }
  return null;
}
