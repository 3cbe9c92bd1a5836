// The developer of this machine, signed in without being asked, where no provider of sign-in is
// configured. Tokens are signed by a key of this installation, which only its own Convex host
// believes. Never in production: a build that runs there refuses, unless the local stack, which made
// the key, started it.

import { importJWK, type JWK, jwtVerify, SignJWT } from "jose";
import { LOCAL_AUDIENCE, LOCAL_ISSUER } from "../../convex/model/issuers.ts";
import { variable } from "../server/variables.ts";
import type { Auth, Cookies, Session } from "./port.ts";

export const LOCAL_DEVELOPER = { userId: "local-developer", email: "developer@localhost" };
/** Names another user of this machine: a token of their own, signed by the same key. */
export const LOCAL_USER_COOKIE = "polaris-local-user";

const LIFETIME_S = 3_600;
const ALGORITHM = "ES256";

/** Why there can be no developer here; undefined: there can. */
export function localRefusal(): string | undefined {
  if (variable("POLARIS_LOCAL_AUTH_KEY") === undefined) {
    return "no provider of sign-in is configured: set NEXT_PUBLIC_STACK_PROJECT_ID, or start everything with npm start";
  }
  if (process.env.NODE_ENV === "production" && variable("POLARIS_LOCAL_AUTH") !== "allowed") {
    return "the local developer is not for production: set NEXT_PUBLIC_STACK_PROJECT_ID";
  }
  return undefined;
}

export function localAuth(): Auth {
  return { kind: "local", session };
}

async function session(cookies: Cookies): Promise<Session | undefined> {
  if (localRefusal() !== undefined) return undefined;
  const token = cookies.get(LOCAL_USER_COOKIE);
  if (token === undefined) return sessionOf(LOCAL_DEVELOPER);
  const user = await verified(token);
  return user === undefined ? undefined : sessionOf(user);
}

interface LocalUser {
  userId: string;
  email: string | undefined;
}

function sessionOf(user: LocalUser): Session {
  return { ...user, token: () => signLocalToken(user) };
}

/** A token as Convex takes it. */
export async function signLocalToken({ userId, email }: LocalUser): Promise<string> {
  const jwk = key();
  return await new SignJWT(email === undefined ? {} : { email })
    .setProtectedHeader({ alg: ALGORITHM, typ: "JWT", ...(jwk.kid ? { kid: jwk.kid } : {}) })
    .setIssuer(LOCAL_ISSUER)
    .setAudience(LOCAL_AUDIENCE)
    .setSubject(userId)
    .setIssuedAt()
    .setExpirationTime(`${LIFETIME_S}s`)
    .sign(await importJWK(jwk, ALGORITHM));
}

async function verified(token: string): Promise<LocalUser | undefined> {
  try {
    const { d: _secret, ...publicKey } = key();
    const { payload } = await jwtVerify(token, await importJWK(publicKey, ALGORITHM), {
      issuer: LOCAL_ISSUER,
      audience: LOCAL_AUDIENCE,
    });
    const { sub, email } = payload;
    if (sub === undefined) return undefined;
    return { userId: sub, email: typeof email === "string" ? email : undefined };
  } catch {
    return undefined;
  }
}

function key(): JWK {
  return JSON.parse(variable("POLARIS_LOCAL_AUTH_KEY") ?? "{}") as JWK;
}
