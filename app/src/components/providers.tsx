"use client";
// What every page stands on: who is signed in, and one live connection to Convex as that person.

import { ConvexProviderWithAuth, ConvexReactClient } from "convex/react";
import { Tooltip } from "radix-ui";
import { type ReactNode, useState } from "react";
import { SessionProvider, useConvexSession } from "../live/session.tsx";
import { Connection } from "./shell/connection.tsx";
import { SignedIn, type SignIn } from "./shell/signed-in.tsx";

const TOOLTIP_DELAY_MS = 400;

export function Providers({
  convexUrl,
  signIn,
  children,
}: {
  convexUrl: string;
  signIn: SignIn;
  children: ReactNode;
}) {
  const [convex] = useState(
    () => new ConvexReactClient(convexUrl, { skipConvexDeploymentUrlCheck: true }),
  );
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
