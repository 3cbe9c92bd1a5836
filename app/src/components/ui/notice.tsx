// What went wrong, went well or needs to be known, next to what caused it, with a way forward.

import { CircleAlert, CircleCheck, Info } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "./cx.ts";

const TONES = {
  danger: "border-danger/25 bg-danger-soft text-danger",
  warn: "border-warn/25 bg-warn-soft text-warn",
  success: "border-success/25 bg-success-soft text-success",
  info: "border-line bg-sunken text-muted",
} as const;

const ICONS = { danger: CircleAlert, warn: CircleAlert, success: CircleCheck, info: Info };

export function Notice({
  tone,
  title,
  children,
  actions,
  className,
  alert = tone === "danger",
}: {
  tone: keyof typeof TONES;
  title: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
  className?: string;
  /** Read out at once. */
  alert?: boolean;
}) {
  const Icon = ICONS[tone];
  return (
    <div
      role={alert ? "alert" : undefined}
      className={cx("flex gap-2.5 rounded-lg border px-3 py-2.5 text-sm", TONES[tone], className)}
    >
      <Icon aria-hidden className="mt-0.5 size-4 shrink-0" />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{title}</p>
        {children !== undefined && <div className="mt-0.5 text-muted">{children}</div>}
        {actions !== undefined && <div className="mt-2 flex flex-wrap gap-2">{actions}</div>}
      </div>
    </div>
  );
}
