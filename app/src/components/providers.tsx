"use client";
// What every page stands on: one live connection to Convex.

import { ConvexProvider, ConvexReactClient } from "convex/react";
import { type ReactNode, useState } from "react";

export function Providers({ convexUrl, children }: { convexUrl: string; children: ReactNode }) {
  const [convex] = useState(
    () => new ConvexReactClient(convexUrl, { skipConvexDeploymentUrlCheck: true }),
  );
  return <ConvexProvider client={convex}>{children}</ConvexProvider>;
}
