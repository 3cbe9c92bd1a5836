"use client";
// Who is signed in, and their token as Convex's client asks for it: from our own route, again when it
// is over.

import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
} from "react";

const TOKEN_ROUTE = "/api/auth/token";
const RETRY_AFTER_MS = [250, 1_000, 3_000];

export interface Person {
  id: string;
  email: string | undefined;
}

interface Session {
  state: "loading" | "signed in" | "signed out" | "unknown";
  person: Person | undefined;
  fetchToken: () => Promise<string | null>;
}

const SessionContext = createContext<Session | undefined>(undefined);

export function SessionProvider({ children }: { children: ReactNode }) {
  const [answer, setAnswer] = useState<Pick<Session, "state" | "person">>({
    state: "loading",
    person: undefined,
  });
  const fetchToken = useCallback(async (): Promise<string | null> => {
    const asked = await askPatiently();
    setAnswer((before) => {
      if (asked === undefined) return { ...before, state: "unknown" };
      const { token, person } = asked;
      const state = token === null ? "signed out" : "signed in";
      return before.state === state && before.person?.id === person?.id
        ? before
        : { state, person };
    });
    return asked?.token ?? null;
  }, []);
  useEffect(() => {
    void fetchToken();
  }, [fetchToken]);
  const session = useMemo(() => ({ ...answer, fetchToken }), [answer, fetchToken]);
  return <SessionContext value={session}>{children}</SessionContext>;
}

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error("there is no SessionProvider above");
  return session;
}

/** The session in the form that ConvexProviderWithAuth wants. */
export function useConvexSession() {
  const { state, fetchToken } = useSession();
  return useMemo(
    () => ({
      isLoading: state === "loading",
      isAuthenticated: state === "signed in",
      fetchAccessToken: fetchToken,
    }),
    [state, fetchToken],
  );
}

/** A server that is being restarted is there again soon. */
async function askPatiently(): ReturnType<typeof ask> {
  for (const pause of RETRY_AFTER_MS) {
    const asked = await ask();
    if (asked !== undefined) return asked;
    await new Promise((settle) => setTimeout(settle, pause));
  }
  return await ask();
}

/** `token: null`: nobody is signed in. undefined: there was no answer. */
async function ask(): Promise<{ token: string | null; person: Person | undefined } | undefined> {
  try {
    const response = await fetch(TOKEN_ROUTE, { cache: "no-store" });
    if (response.status === 401) return { token: null, person: undefined };
    if (!response.ok) return undefined;
    const { token, user } = (await response.json()) as {
      token?: unknown;
      user?: { id?: unknown; email?: unknown };
    };
    if (typeof token !== "string" || typeof user?.id !== "string") return undefined;
    const email = typeof user.email === "string" ? user.email : undefined;
    return { token, person: { id: user.id, email } };
  } catch {
    return undefined;
  }
}
