"use client";
// Says that the page has lost its live connection, and that it will catch up by itself.

import { useConvexConnectionState } from "convex/react";
import { WifiOff } from "lucide-react";
import { useEffect, useState } from "react";

/** Shorter interruptions heal before anybody reads about them. */
const TELL_AFTER_MS = 1_500;

export function Connection() {
  const { isWebSocketConnected, hasEverConnected } = useConvexConnectionState();
  const [told, setTold] = useState(false);
  useEffect(() => {
    if (isWebSocketConnected) return setTold(false);
    const timer = setTimeout(() => setTold(true), TELL_AFTER_MS);
    return () => clearTimeout(timer);
  }, [isWebSocketConnected]);
  return (
    <div role="status">
      {told && (
        <p className="fixed bottom-4 left-1/2 z-50 flex -translate-x-1/2 animate-appear items-center gap-2 whitespace-nowrap rounded-full border border-line bg-raised px-3.5 py-1.5 text-sm shadow-raised">
          <WifiOff aria-hidden className="size-4 text-warn" />
          {hasEverConnected ? "Connection lost. Reconnecting…" : "Connecting…"}
        </p>
      )}
    </div>
  );
}
