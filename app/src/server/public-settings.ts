// What a page may know of how this server is set up: where Convex is and which stand-ins are in use.
// Read at each request, never at build time: one build serves every deployment. No key leaves here.

import { readFileSync } from "node:fs";
import { variable } from "./variables.ts";

export interface StandIn {
  /** Its name for people. */
  service: string;
  /** The variable that makes the service real. */
  variable: string;
}

export interface PublicSettings {
  /** Undefined: the server is not set up; a page says so. */
  convexUrl: string | undefined;
  standIns: StandIn[];
}

export function publicSettings(): PublicSettings {
  return {
    convexUrl: variable("NEXT_PUBLIC_CONVEX_URL") ?? variable("CONVEX_URL"),
    standIns: standIns(),
  };
}

/**
 * `npm start` keeps a file that says which of its services are stand-ins: `[{"service", "variable"},
 * …]`. It changes while this server runs, when a key turns a stand-in into the real thing.
 */
function standIns(): StandIn[] {
  const path = variable("POLARIS_STAND_INS_FILE");
  if (path === undefined) return [];
  try {
    return JSON.parse(readFileSync(/* turbopackIgnore: true */ path, "utf8")) as StandIn[];
  } catch {
    return [];
  }
}
