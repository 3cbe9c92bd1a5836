// What stands where there is nothing yet: what will be here, and how it gets here.

import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

export function Empty({
  icon: Icon,
  title,
  children,
  actions,
}: {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className="mx-auto flex max-w-sm flex-col items-center px-6 py-10 text-center">
      <span className="grid size-11 place-items-center rounded-2xl border border-line bg-sunken text-faint">
        <Icon aria-hidden className="size-5" />
      </span>
      <p className="mt-4 font-medium">{title}</p>
      {children !== undefined && <p className="mt-1 text-muted text-sm">{children}</p>}
      {actions !== undefined && (
        <div className="mt-5 flex flex-wrap justify-center gap-2">{actions}</div>
      )}
    </div>
  );
}
