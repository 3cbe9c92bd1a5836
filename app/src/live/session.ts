"use client";
// The session as Convex's client asks for it: a token of the signed-in person from our own route, asked
// for again when it is over.

import { useCallback, useEffect, useMemo, useState } from "react";

const TOKEN_ROUTE = "/api/auth/token";

type State = "loading" | "signed in" | "signed out";

export function useSession() {
  const [state, setState] = useState<State>("loading");
  const fetchAccessToken = useCallback(async (): Promise<string | null> => {
    const token = await askForToken();
    // Without an answer nothing is known: who is signed in stays so.
    if (token === undefined) throw new Error("the session could not be asked for");
    setState(token === null ? "signed out" : "signed in");
    return token;
  }, []);
  useEffect(() => {
    let wanted = true;
    askForToken()
      .then((token) => {
        if (wanted) setState(typeof token === "string" ? "signed in" : "signed out");
      })
      .catch(() => undefined);
    return () => {
      wanted = false;
    };
  }, []);
  return useMemo(
    () => ({
      isLoading: state === "loading",
      isAuthenticated: state === "signed in",
      fetchAccessToken,
    }),
    [state, fetchAccessToken],
  );
}

/** null: nobody is signed in; undefined: there was no answer. */
async function askForToken(): Promise<string | null | undefined> {
  try {
    const response = await fetch(TOKEN_ROUTE, { cache: "no-store" });
    if (response.status === 401) return null;
    if (!response.ok) return undefined;
    const { token } = (await response.json()) as { token?: unknown };
    return typeof token === "string" ? token : null;
  } catch {
    return undefined;
  }
}
