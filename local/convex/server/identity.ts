// Who is calling: `Bearer <JWT>` for users, `Convex <admin key>` for the operator, nothing for anyone.
import { timingSafeEqual } from "node:crypto";
import { type Authenticator, AuthFailure } from "../engine/auth.ts";
import type { Caller, Identity } from "../engine/frame.ts";

export const ANONYMOUS: Caller = { identity: null, isTrusted: false };

export async function callerOf(
  header: string | undefined,
  authenticator: Authenticator,
  adminKey: string,
): Promise<Caller> {
  if (header === undefined) return ANONYMOUS;
  const [scheme, ...rest] = header.split(" ");
  const credential = rest.join(" ").trim();
  if (scheme === "Bearer") {
    return { identity: (await authenticator.verify(credential)).identity, isTrusted: false };
  }
  if (scheme === "Convex") return adminCaller(credential, adminKey);
  throw new AuthFailure("InvalidAuthHeader", "The Authorization header is not Bearer or Convex");
}

/** `key` or `key:base64(identity attributes)`, as `setAdminAuth` of the official clients sends it. */
export function adminCaller(credential: string, adminKey: string): Caller {
  const [key = "", attributes] = credential.split(":");
  if (!sameKey(key, adminKey)) {
    throw new AuthFailure("BadAdminKey", "The provided admin key was invalid for this instance");
  }
  if (attributes === undefined) return { identity: null, isTrusted: true };
  const identity = JSON.parse(Buffer.from(attributes, "base64").toString("utf8")) as Identity;
  identity.tokenIdentifier ??= `${identity.issuer}|${identity.subject}`;
  return { identity, isTrusted: true };
}

export function sameKey(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
