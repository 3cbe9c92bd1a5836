"use client";
// Shows the page to who is signed in; to the others how to sign in, or why they cannot.

import { useConvexAuth } from "convex/react";
import { CloudOff, LogIn } from "lucide-react";
import type { ReactNode } from "react";
import { useSession } from "../../live/session.tsx";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { SignInForm } from "./sign-in-form.tsx";

/** How one signs in here; `impossible` says why one cannot. */
export type SignIn = { kind: "password" } | { kind: "local" } | { kind: "impossible"; why: string };

export function SignedIn({ signIn, children }: { signIn: SignIn; children: ReactNode }) {
  const { state, fetchToken } = useSession();
  const { isLoading, isAuthenticated } = useConvexAuth();
  if (isAuthenticated) return children;
  return (
    <main className="grid h-full place-items-center overflow-y-auto">
      {state === "unknown" ? (
        <Empty
          icon={CloudOff}
          title="The server does not answer"
          actions={<Button onClick={() => void fetchToken()}>Try again</Button>}
        >
          Your session could not be looked up.
        </Empty>
      ) : isLoading || state === "signed in" ? (
        <div role="status" className="text-faint">
          <Spinner className="size-5" />
          <span className="sr-only">Connecting</span>
        </div>
      ) : signIn.kind === "password" ? (
        <SignInForm />
      ) : (
        <Empty icon={LogIn} title="You are not signed in">
          {signIn.kind === "impossible" ? sentence(signIn.why) : "This session is not valid here."}
        </Empty>
      )}
    </main>
  );
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
