"use client";
// Copies a text and says so, in place.

import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "./icon-button.tsx";

const SHOWN_MS = 1_600;

export function CopyButton({
  text,
  label,
  className,
}: {
  text: string;
  label: string;
  className?: string;
}) {
  const [state, setState] = useState<"idle" | "copied" | "refused">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
    } catch {
      setState("refused");
    }
  };
  const says =
    state === "copied" ? "Copied" : state === "refused" ? "The browser refused to copy" : label;
  return (
    <>
      <IconButton
        label={says}
        onClick={() => void copy()}
        {...(className === undefined ? {} : { className })}
      >
        {state === "copied" ? <Check aria-hidden /> : <Copy aria-hidden />}
      </IconButton>
      <span role="status" className="sr-only">
        {state === "idle" ? "" : says}
      </span>
    </>
  );
}
