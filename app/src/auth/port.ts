// Who is signed in: the one question that routes and pages ask. Adapters answer it: Stack Auth when it
// is configured, else the developer of this machine. Nothing here knows Next.js.

export interface Session {
  /** The subject of the user's token; what Convex knows as the owner. */
  userId: string;
  email: string | undefined;
  /** A token that Convex accepts now; undefined when none can be had. */
  token: () => Promise<string | undefined>;
}

export interface CookieOptions {
  /** Seconds; absent: until the browser is closed. */
  maxAge?: number;
}

/** The cookies of one request. All are written httpOnly, sameSite lax, and secure on HTTPS. */
export interface Cookies {
  all: () => readonly { name: string; value: string }[];
  get: (name: string) => string | undefined;
  set: (name: string, value: string, options?: CookieOptions) => void;
  delete: (name: string) => void;
}

export interface Auth {
  kind: "stack" | "local";
  /** undefined: nobody is signed in. */
  session: (cookies: Cookies) => Promise<Session | undefined>;
}

export interface Credentials {
  email: string;
  password: string;
}

/** Signing in with a password, where the adapter can. */
export interface PasswordAuth extends Auth {
  signIn: (credentials: Credentials, cookies: Cookies) => Promise<SignInResult>;
  signUp: (credentials: Credentials, cookies: Cookies) => Promise<SignInResult>;
  signOut: (cookies: Cookies) => Promise<void>;
}

export type SignInResult = { ok: true } | { ok: false; reason: string };

export function hasPasswords(auth: Auth): auth is PasswordAuth {
  return "signIn" in auth;
}
