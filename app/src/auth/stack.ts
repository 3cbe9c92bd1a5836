// Stack Auth over its REST API (docs.stack-auth.com/api/overview). A session is the cookies that its
// own SDK writes, so that an app which uses that SDK is signed in here too: the access token is
// checked against the project's published keys, and renewed with the refresh token when it is over.

import { createRemoteJWKSet, errors, jwtVerify } from "jose";
import type { Cookies, Credentials, PasswordAuth, Session, SignInResult } from "./port.ts";

export interface StackSettings {
  projectId: string;
  publishableClientKey: string | undefined;
  secretServerKey: string | undefined;
  /** https://api.stack-auth.com, or one's own. */
  apiUrl: string;
}

interface Tokens {
  access: string | undefined;
  refresh: string | undefined;
}

const ACCESS_COOKIE = "stack-access";
/** As long as the SDK keeps it. */
const REFRESH_COOKIE_S = 365 * 24 * 3_600;
const ACCESS_COOKIE_S = 24 * 3_600;
const TIMEOUT_MS = 10_000;

export function stackAuth(settings: StackSettings): PasswordAuth {
  const { projectId, apiUrl } = settings;
  const refreshCookie = `stack-refresh-${projectId}`;
  const issuer = `${apiUrl}/api/v1/projects/${projectId}`;
  const keys = keysOf(`${issuer}/.well-known/jwks.json`);

  async function session(cookies: Cookies): Promise<Session | undefined> {
    const tokens = read(cookies);
    let user = tokens.access === undefined ? undefined : await verify(tokens.access);
    let { access } = tokens;
    if (user === undefined && tokens.refresh !== undefined) {
      access = await renew(tokens.refresh, cookies);
      user = access === undefined ? undefined : await verify(access);
    }
    if (user === undefined) return undefined;
    return { ...user, token: async () => access };
  }

  async function verify(token: string): Promise<Omit<Session, "token"> | undefined> {
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience: projectId });
      const { sub, email } = payload;
      if (sub === undefined) return undefined;
      return { userId: sub, email: typeof email === "string" ? email : undefined };
    } catch (error) {
      // Over, or somebody else's: not a session. Keys that cannot be fetched are another matter.
      if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) {
        return undefined;
      }
      throw error;
    }
  }

  function read(cookies: Cookies): Tokens {
    const [fromAccess, access] = pair(cookies.get(ACCESS_COOKIE));
    // Newer SDKs prefix and suffix the name, and write JSON.
    const stored = cookies
      .all()
      .find(({ name }) => name.replace(/^__Host-/, "").startsWith(refreshCookie));
    return { access, refresh: refreshTokenOf(stored?.value) ?? fromAccess };
  }

  function write(cookies: Cookies, tokens: { access: string; refresh: string }): void {
    cookies.set(refreshCookie, tokens.refresh, { maxAge: REFRESH_COOKIE_S });
    const value = JSON.stringify([tokens.refresh, tokens.access]);
    cookies.set(ACCESS_COOKIE, value, { maxAge: ACCESS_COOKIE_S });
  }

  async function renew(refresh: string, cookies: Cookies): Promise<string | undefined> {
    const response = await call("auth/sessions/current/refresh", {
      "x-stack-refresh-token": refresh,
    });
    if (response.status >= 500) throw new Error(`Stack Auth answered ${response.status}`);
    if (!response.ok) return undefined;
    const { access_token: access } = (await response.json()) as { access_token?: string };
    if (access === undefined) return undefined;
    write(cookies, { access, refresh });
    return access;
  }

  async function withPassword(
    path: string,
    body: Record<string, string>,
    cookies: Cookies,
  ): Promise<SignInResult> {
    const response = await call(path, {}, body);
    if (response.status >= 500) throw new Error(`Stack Auth answered ${response.status}`);
    if (!response.ok) return { ok: false, reason: await reasonOf(response) };
    const { access_token: access, refresh_token: refresh } = (await response.json()) as Record<
      string,
      string | undefined
    >;
    if (access === undefined || refresh === undefined) {
      throw new Error("Stack Auth answered without tokens");
    }
    write(cookies, { access, refresh });
    return { ok: true };
  }

  function call(path: string, headers: Record<string, string>, body: object = {}) {
    const { publishableClientKey, secretServerKey } = settings;
    return fetch(`${apiUrl}/api/v1/${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-stack-access-type": secretServerKey === undefined ? "client" : "server",
        "x-stack-project-id": projectId,
        ...(publishableClientKey === undefined
          ? {}
          : { "x-stack-publishable-client-key": publishableClientKey }),
        ...(secretServerKey === undefined ? {} : { "x-stack-secret-server-key": secretServerKey }),
        ...headers,
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  }

  return {
    kind: "stack",
    session,
    signIn: (given: Credentials, cookies) =>
      withPassword("auth/password/sign-in", { ...given }, cookies),
    signUp: (given: Credentials, cookies) =>
      withPassword("auth/password/sign-up", { ...given }, cookies),
    signOut: async (cookies) => {
      const { refresh } = read(cookies);
      for (const { name } of cookies.all()) {
        const plain = name.replace(/^__Host-/, "");
        if (plain === ACCESS_COOKIE || plain.startsWith(refreshCookie)) cookies.delete(name);
      }
      if (refresh === undefined) return;
      // Without the cookies nobody is signed in here; that the session ends there too is a courtesy.
      await fetch(`${apiUrl}/api/v1/auth/sessions/current`, {
        method: "DELETE",
        headers: {
          "x-stack-access-type": "client",
          "x-stack-project-id": projectId,
          "x-stack-publishable-client-key": settings.publishableClientKey ?? "",
          "x-stack-refresh-token": refresh,
        },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      }).catch(() => undefined);
    },
  };
}

/** One set of keys per address: it is fetched once, and again when an unknown key appears. */
const keySets = new Map<string, ReturnType<typeof createRemoteJWKSet>>();

function keysOf(address: string) {
  let keys = keySets.get(address);
  if (keys === undefined) {
    keys = createRemoteJWKSet(new URL(address), { timeoutDuration: TIMEOUT_MS });
    keySets.set(address, keys);
  }
  return keys;
}

/** `["refresh", "access"]` as JSON. */
function pair(value: string | undefined): [string | undefined, string | undefined] {
  const parsed = json(value);
  if (!Array.isArray(parsed)) return [undefined, undefined];
  const [refresh, access] = parsed as unknown[];
  return [textOf(refresh), textOf(access)];
}

function refreshTokenOf(value: string | undefined): string | undefined {
  const parsed = json(value);
  if (typeof parsed === "object" && parsed !== null && "refresh_token" in parsed) {
    return textOf(parsed.refresh_token);
  }
  return textOf(value);
}

function json(value: string | undefined): unknown {
  if (value === undefined) return undefined;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

async function reasonOf(response: Response): Promise<string> {
  const body = json(await response.text());
  const text =
    typeof body === "object" && body !== null && "error" in body ? textOf(body.error) : undefined;
  return text ?? "The email address or the password is wrong.";
}
