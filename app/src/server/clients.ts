// The two services that the server code talks to, from the environment as it is at the time of the
// call: a missing variable is named, an empty one counts as unset. Keys stay on the server.

import { TriggerClient } from "@trigger.dev/sdk";
import { ConvexHttpClient } from "convex/browser";
import { MessageError } from "./errors.ts";
import { variable } from "./variables.ts";

/** Convex with the key that opens the server functions. */
export interface Store {
  convex: ConvexHttpClient;
  /** Spread into the arguments of every `system:*` function. */
  key: { internalKey: string };
}

export function store(): Store {
  const internalKey = require_(
    "POLARIS_CONVEX_INTERNAL_KEY",
    "it opens the server functions of the Convex deployment",
  );
  return { convex: convexClient(), key: { internalKey } };
}

/** Convex as one of its users. */
export function userStore(token: string): ConvexHttpClient {
  const convex = convexClient();
  convex.setAuth(token);
  return convex;
}

function convexClient(): ConvexHttpClient {
  const url =
    variable("CONVEX_URL") ??
    require_("NEXT_PUBLIC_CONVEX_URL", "the URL of the Convex deployment (or set CONVEX_URL)");
  return new ConvexHttpClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
}

/** The runner of the tasks: Trigger.dev, or what TRIGGER_API_URL names. */
export function runner(): TriggerClient {
  const accessToken = require_("TRIGGER_SECRET_KEY", "it lets this server start and cancel runs");
  const baseURL = variable("TRIGGER_API_URL") ?? "https://api.trigger.dev";
  return new TriggerClient({ accessToken, baseURL });
}

function require_(name: string, purpose: string): string {
  const value = variable(name);
  if (value === undefined) {
    throw new MessageError("CONFIG_MISSING", `${name} is not set: ${purpose}`);
  }
  return value;
}
