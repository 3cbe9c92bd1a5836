"use client";
// A tooltip; only ever repeats or completes what the element's own label says.

import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";
import { Keys } from "./keys.tsx";

export function Tip({
  label,
  keys,
  children,
}: {
  label: string;
  keys?: string | undefined;
  children: ReactNode;
}) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          sideOffset={6}
          collisionPadding={8}
          className="z-50 flex max-w-72 animate-fade items-center gap-2 rounded-md bg-ink px-2 py-1 text-canvas text-xs shadow-raised"
        >
          {label}
          {keys !== undefined && <Keys keys={keys} inverted />}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
