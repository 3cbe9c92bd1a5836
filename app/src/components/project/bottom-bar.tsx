"use client";

import { cx } from "../ui/cx.ts";
import { VIEWS, type View } from "./views.ts";

/** Chooses the part that a narrow page shows. */
export function BottomBar({ view, onView }: { view: View; onView: (view: View) => void }) {
  return (
    <nav
      aria-label="Parts of the project"
      className="absolute inset-x-0 bottom-0 z-20 grid h-12 grid-cols-4 border-line border-t bg-surface lg:hidden"
    >
      {VIEWS.map(({ view: other, title, icon: Icon }) => (
        <button
          key={other}
          type="button"
          aria-current={other === view ? "page" : undefined}
          onClick={() => onView(other)}
          className={cx(
            "flex flex-col items-center justify-center gap-0.5 text-2xs -outline-offset-2",
            other === view ? "font-medium text-accent" : "text-muted",
          )}
        >
          <Icon aria-hidden className="size-4.5" />
          {title}
        </button>
      ))}
    </nav>
  );
}
