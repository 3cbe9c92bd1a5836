"use client";
// The bar above a project: the way home, its name, code or log, the theme.

import { ChevronRight } from "lucide-react";
import Link from "next/link";
import { AccountMenu } from "../shell/account-menu.tsx";
import { Logo } from "../shell/logo.tsx";
import { ThemeToggle } from "../shell/theme-toggle.tsx";
import { cx } from "../ui/cx.ts";
import { ProjectName } from "./project-name.tsx";
import type { View } from "./views.ts";

export function TopBar({
  projectId,
  name,
  view,
  onView,
  running,
}: {
  projectId: string;
  name: string;
  view: View;
  onView: (view: View) => void;
  running: boolean;
}) {
  const tabs = [
    { title: "Code", shown: view !== "log", choose: () => onView("editor") },
    { title: "Generation log", shown: view === "log", choose: () => onView("log") },
  ];
  return (
    <header className="flex h-12 shrink-0 items-center gap-1.5 border-line border-b bg-surface px-3">
      <Link
        href="/"
        aria-label="All projects"
        className="grid size-8 shrink-0 place-items-center rounded-lg hover:bg-hover"
      >
        <Logo className="size-5" />
      </Link>
      <ChevronRight aria-hidden className="size-3.5 shrink-0 text-faint" />
      <ProjectName projectId={projectId} name={name} />
      <nav
        aria-label="View"
        className="ml-auto flex gap-0.5 rounded-lg bg-sunken p-0.5 max-lg:hidden"
      >
        {tabs.map(({ title, shown, choose }) => (
          <button
            key={title}
            type="button"
            aria-current={shown ? "page" : undefined}
            onClick={choose}
            className={cx(
              "h-7 rounded-md px-3 text-sm",
              shown ? "bg-surface font-medium text-ink shadow-xs" : "text-muted hover:text-ink",
            )}
          >
            {title}
            {title !== "Code" && running && (
              <span className="ml-2 inline-block size-1.5 animate-breathe rounded-full bg-accent align-middle">
                <span className="sr-only">(running)</span>
              </span>
            )}
          </button>
        ))}
      </nav>
      <div className="flex gap-0.5 max-lg:ml-auto">
        <ThemeToggle />
        <AccountMenu />
      </div>
    </header>
  );
}
