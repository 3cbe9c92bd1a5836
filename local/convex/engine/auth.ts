// JSON Web Tokens → identities, by the providers of `auth.config.ts`: OpenID Connect issuers and
// custom issuers with a key set at an address or in a `data:` URL. A token that cannot be verified
// is refused; nothing falls back to "no identity".
import type { JSONValue } from "convex/values";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
} from "jose";
import type { Identity } from "./frame.ts";
import type { AuthProvider } from "./modules.ts";

export interface Session {
  identity: Identity;
  /** Epoch milliseconds. */
  expiresAt: number;
}

export class AuthFailure extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

const CLOCK_TOLERANCE_S = 5;
const ALGORITHMS = ["RS256", "ES256"];

/** OpenID claims that Convex renames. */
const RENAMED: Record<string, string> = {
  given_name: "givenName",
  family_name: "familyName",
  preferred_username: "preferredUsername",
  profile: "profileUrl",
  picture: "pictureUrl",
  website: "websiteUrl",
  email_verified: "emailVerified",
  zoneinfo: "timezone",
  locale: "language",
  phone_number: "phoneNumber",
  phone_number_verified: "phoneNumberVerified",
  updated_at: "updatedAt",
};
const NOT_CLAIMS = new Set(["iss", "sub", "aud", "exp", "iat", "nbf", "jti"]);

export class Authenticator {
  readonly #providers: AuthProvider[];
  readonly #keySets = new Map<AuthProvider, Promise<KeySet>>();

  constructor(providers: AuthProvider[]) {
    this.#providers = providers;
  }

  async verify(token: string): Promise<Session> {
    let claims: JWTPayload;
    try {
      claims = decodeJwt(token);
    } catch {
      throw new AuthFailure("InvalidAuthHeader", "Could not parse as a JSON Web Token");
    }
    const candidates = this.#providers.filter((provider) => accepts(provider, claims));
    if (candidates.length === 0) {
      throw new AuthFailure(
        "NoAuthProvider",
        `No auth provider found matching the given token (issuer ${String(claims.iss)}, ` +
          `audience ${String(claims.aud)}). Check the providers in auth.config.ts.`,
      );
    }
    let reason: unknown;
    for (const provider of candidates) {
      try {
        return await this.#verifyWith(provider, token);
      } catch (error) {
        reason = error;
      }
    }
    const text = reason instanceof Error ? reason.message : String(reason);
    throw new AuthFailure("InvalidAuthHeader", `Could not verify token: ${text}`);
  }

  async #verifyWith(provider: AuthProvider, token: string): Promise<Session> {
    const { payload } = await jwtVerify(token, await this.#keysOf(provider), {
      algorithms: provider.algorithm === undefined ? ALGORITHMS : [provider.algorithm],
      clockTolerance: CLOCK_TOLERANCE_S,
      requiredClaims: ["iss", "sub", "exp", "iat"],
    });
    return { identity: identityOf(payload), expiresAt: (payload.exp as number) * 1000 };
  }

  #keysOf(provider: AuthProvider): Promise<KeySet> {
    let keys = this.#keySets.get(provider);
    if (keys === undefined) {
      keys = loadKeys(provider);
      this.#keySets.set(provider, keys);
      // A failed look-up is tried again with the next token.
      keys.catch(() => this.#keySets.delete(provider));
    }
    return keys;
  }
}

function accepts(provider: AuthProvider, claims: JWTPayload): boolean {
  const issuer = provider.type === "customJwt" ? provider.issuer : provider.domain;
  if (issuer === undefined || sameIssuer(issuer) !== sameIssuer(claims.iss ?? "")) return false;
  if (provider.applicationID === undefined) return provider.type === "customJwt";
  return [claims.aud ?? []].flat().includes(provider.applicationID);
}

function sameIssuer(issuer: string): string {
  return withScheme(issuer).replace(/\/$/, "");
}

function withScheme(address: string): string {
  return /^[a-z]+:/.test(address) ? address : `https://${address}`;
}

async function loadKeys(provider: AuthProvider): Promise<KeySet> {
  if (provider.type === "customJwt") return keysAt(provider.jwks ?? "");
  const issuer = sameIssuer(provider.domain ?? "");
  const response = await fetch(`${issuer}/.well-known/openid-configuration`);
  if (!response.ok) throw new Error(`${issuer} answered ${response.status} for its configuration`);
  const { jwks_uri } = (await response.json()) as { jwks_uri: string };
  return keysAt(jwks_uri);
}

async function keysAt(address: string): Promise<KeySet> {
  if (!address.startsWith("data:"))
    return createRemoteJWKSet(new URL(address)) as unknown as KeySet;
  const text = await (await fetch(address)).text();
  return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
}

function identityOf(payload: JWTPayload): Identity {
  const identity: Identity = {
    tokenIdentifier: `${payload.iss}|${payload.sub}`,
    issuer: payload.iss as string,
    subject: payload.sub as string,
  };
  for (const [claim, value] of Object.entries(payload)) {
    if (NOT_CLAIMS.has(claim)) continue;
    const name = RENAMED[claim] ?? claim;
    identity[name] = name === "updatedAt" ? String(value) : (value as JSONValue);
  }
  return identity;
}
