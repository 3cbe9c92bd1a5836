"use client";
// What every page stands on: one live connection to Convex, as the person who is signed in.

import { ConvexProviderWithAuth, ConvexReactClient } from "convex/react";
import { Tooltip } from "radix-ui";
import { type ReactNode, useState } from "react";
import { useSession } from "../live/session.ts";
import { Connection } from "./shell/connection.tsx";
import { SignedIn } from "./shell/signed-in.tsx";

const TOOLTIP_DELAY_MS = 400;

export function Providers({ convexUrl, children }: { convexUrl: string; children: ReactNode }) {
  const [convex] = useState(
    () => new ConvexReactClient(convexUrl, { skipConvexDeploymentUrlCheck: true }),
  );
  return (
    <ConvexProviderWithAuth client={convex} useAuth={useSession}>
      <Tooltip.Provider delayDuration={TOOLTIP_DELAY_MS}>
        <SignedIn>{children}</SignedIn>
        <Connection />
      </Tooltip.Provider>
    </ConvexProviderWithAuth>
  );
}
