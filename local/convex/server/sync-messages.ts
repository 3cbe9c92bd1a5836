// The messages of the sync protocol as JSON texts. Results are put in as the engine made them: a large
// value is encoded once, whoever watches it. Pure.
import type { JSONValue } from "convex/values";
import type { Outcome } from "../engine/engine.ts";
import type { LiveQuery } from "../engine/live.ts";
import { encodeTs } from "./http.ts";

export type ClientMessage =
  | { type: "Connect"; sessionId: string; maxObservedTimestamp?: string; clientTs?: number }
  | {
      type: "Authenticate";
      tokenType: "User" | "Admin" | "None";
      value?: string;
      baseVersion: number;
    }
  | {
      type: "ModifyQuerySet";
      baseVersion: number;
      newVersion: number;
      modifications: (
        | {
            type: "Add";
            queryId: number;
            udfPath: string;
            args: JSONValue[];
            journal?: string | null;
          }
        | { type: "Remove"; queryId: number }
      )[];
    }
  | { type: "Mutation" | "Action"; requestId: number; udfPath: string; args: JSONValue[] }
  | { type: "Event" };

export interface Version {
  querySet: number;
  identity: number;
  ts: bigint;
}

export function versionJson({ querySet, identity, ts }: Version): string {
  return JSON.stringify({ querySet, identity, ts: encodeTs(ts) });
}

export function resultJson({ outcome, journal }: LiveQuery): string {
  if (outcome === undefined) throw new Error("a live query was shown before it had run");
  const rest = `"logLines":${JSON.stringify(outcome.logLines)},"journal":${JSON.stringify(journal)}`;
  if (outcome.ok) return `"type":"QueryUpdated","value":${outcome.json},${rest}`;
  const { errorMessage, errorData } = outcome.failure;
  const data = errorData === undefined ? "" : `"errorData":${JSON.stringify(errorData)},`;
  return `"type":"QueryFailed","errorMessage":${JSON.stringify(errorMessage)},${data}${rest}`;
}

export function responseJson(
  type: "Mutation" | "Action",
  requestId: number,
  outcome: Outcome,
): string {
  const head = `{"type":"${type}Response","requestId":${requestId},"logLines":${JSON.stringify(outcome.logLines)}`;
  if (!outcome.ok) {
    const { errorMessage, errorData } = outcome.failure;
    const data = errorData === undefined ? "" : `,"errorData":${JSON.stringify(errorData)}`;
    return `${head},"success":false,"result":${JSON.stringify(errorMessage)}${data}}`;
  }
  const ts = type === "Mutation" ? `,"ts":"${encodeTs(outcome.ts)}"` : "";
  return `${head},"success":true,"result":${outcome.json}${ts}}`;
}

/** Parts of at most `length` UTF-16 units that never cut a surrogate pair in two. */
export function splitText(text: string, length: number): string[] {
  const parts: string[] = [];
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + length, text.length);
    const last = text.charCodeAt(to - 1);
    if (to < text.length && last >= 0xd800 && last <= 0xdbff) to--;
    parts.push(text.slice(from, to));
    from = to;
  }
  return parts;
}
