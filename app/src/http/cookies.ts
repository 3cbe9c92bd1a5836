// The cookies of one request, and those that its answer sets: httpOnly, sameSite lax, and secure where
// the request came by HTTPS.

import type { CookieOptions, Cookies } from "../auth/port.ts";

export class RequestCookies implements Cookies {
  readonly #given = new Map<string, string>();
  readonly #set: string[] = [];
  readonly #secure: string;

  constructor(request: Request) {
    const forwarded = request.headers.get("x-forwarded-proto");
    const protocol = forwarded ?? new URL(request.url).protocol.replace(/:$/, "");
    this.#secure = protocol === "https" ? "; Secure" : "";
    for (const part of (request.headers.get("cookie") ?? "").split(";")) {
      const equals = part.indexOf("=");
      if (equals === -1) continue;
      this.#given.set(part.slice(0, equals).trim(), decoded(part.slice(equals + 1).trim()));
    }
  }

  all(): readonly { name: string; value: string }[] {
    return [...this.#given].map(([name, value]) => ({ name, value }));
  }

  get(name: string): string | undefined {
    return this.#given.get(name);
  }

  set(name: string, value: string, { maxAge }: CookieOptions = {}): void {
    this.#given.set(name, value);
    const age = maxAge === undefined ? "" : `; Max-Age=${maxAge}`;
    this.#set.push(
      `${name}=${encodeURIComponent(value)}; Path=/; HttpOnly; SameSite=Lax${age}${this.#secure}`,
    );
  }

  delete(name: string): void {
    this.#given.delete(name);
    this.#set.push(`${name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0${this.#secure}`);
  }

  /** Adds what was set to the answer. */
  applyTo(response: Response): Response {
    for (const line of this.#set) response.headers.append("set-cookie", line);
    return response;
  }
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
