"use client";
// How long ago something was, kept true while the page is open.

import { useEffect, useState } from "react";
import { relativeTime } from "./relative-time.ts";

const EVERY_MS = 30_000;

export function Ago({ at, className }: { at: number; className?: string }) {
  const [now, setNow] = useState<number>();
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <time
      dateTime={new Date(at).toISOString()}
      title={now === undefined ? undefined : new Date(at).toLocaleString()}
      className={className}
    >
      {now === undefined ? "" : relativeTime(at, Math.max(now, at))}
    </time>
  );
}
