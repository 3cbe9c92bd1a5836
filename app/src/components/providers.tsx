"use client";
// What every page stands on: who is signed in, and one live connection to Convex as that person.

import { ConvexProviderWithAuth, ConvexReactClient } from "convex/react";
import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";
import { SessionProvider, useConvexSession } from "../live/session.tsx";
import { Connection } from "./shell/connection.tsx";
import { SignedIn, type SignIn } from "./shell/signed-in.tsx";

const TOOLTIP_DELAY_MS = 400;

/**
 * The one client of this browser page. Not a state of a component: React throws states away when it
 * begins a render anew, and each client that was thrown away would keep its connection.
 */
let client: ConvexReactClient | undefined;

function clientOf(url: string): ConvexReactClient {
  const made = client ?? new ConvexReactClient(url, { skipConvexDeploymentUrlCheck: true });
  // Servers render for many people.
  if (typeof window !== "undefined") client = made;
  return made;
}

export function Providers({
  convexUrl,
  signIn,
  children,
}: {
  convexUrl: string;
  signIn: SignIn;
  children: ReactNode;
}) {
  const convex = clientOf(convexUrl);
  return (
    <SessionProvider>
      <ConvexProviderWithAuth client={convex} useAuth={useConvexSession}>
        <Tooltip.Provider delayDuration={TOOLTIP_DELAY_MS}>
          <SignedIn signIn={signIn}>{children}</SignedIn>
          <Connection />
        </Tooltip.Provider>
      </ConvexProviderWithAuth>
    </SessionProvider>
  );
}
