"use client";
// All projects of the person, last updated first, and how new ones begin.

import { useQuery } from "convex/react";
import { FolderPlus, Search, Sparkles } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import { AccountMenu } from "../shell/account-menu.tsx";
import { Logo } from "../shell/logo.tsx";
import { ThemeToggle } from "../shell/theme-toggle.tsx";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { Keys } from "../ui/keys.tsx";
import { GenerateDialog } from "./generate-dialog.tsx";
import { NewProjectDialog } from "./new-project-dialog.tsx";
import { ProjectRow } from "./project-row.tsx";

/** Each row follows its project live. */
const SHOWN_AT_ONCE = 50;
const FILTER_FROM = 7;

export function Dashboard() {
  const projects = useQuery(api.projects.get);
  const [generating, setGenerating] = useState(false);
  const [creating, setCreating] = useState(false);
  const [filter, setFilter] = useState("");
  const [limit, setLimit] = useState(SHOWN_AT_ONCE);
  const search = useRef<HTMLInputElement>(null);

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
      const key = event.key.toLowerCase();
      if (key === "j") setGenerating(true);
      else if (key === "k") search.current?.focus();
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);

  const wanted = filter.trim().toLowerCase();
  const found = projects?.filter(({ name }) => name.toLowerCase().includes(wanted)) ?? [];
  return (
    <div className="thin-scroll h-full overflow-y-auto">
      <header className="mx-auto flex h-14 max-w-4xl items-center gap-2.5 px-4 sm:px-6">
        <Logo />
        <span className="font-semibold text-lg">Polaris</span>
        <div className="ml-auto flex items-center gap-1">
          <ThemeToggle />
          <AccountMenu />
        </div>
      </header>
      <main className="mx-auto max-w-4xl px-4 pt-6 pb-20 sm:px-6 sm:pt-10">
        <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
          <h1 className="mr-auto font-semibold text-2xl tracking-tight">Projects</h1>
          <div className="flex gap-2">
            <Button onClick={() => setCreating(true)}>
              <FolderPlus aria-hidden className="size-4" />
              New project
            </Button>
            <Button kind="primary" onClick={() => setGenerating(true)}>
              <Sparkles aria-hidden className="size-4" />
              Generate project
            </Button>
          </div>
        </div>

        {projects !== undefined && projects.length >= FILTER_FROM && (
          <div className="relative mt-6">
            <Search
              aria-hidden
              className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-faint"
            />
            <input
              ref={search}
              type="search"
              aria-label="Filter projects"
              placeholder="Filter by name"
              value={filter}
              onChange={(event) => setFilter(event.target.value)}
              className="h-10 w-full rounded-xl border border-line-strong bg-surface pr-20 pl-9 outline-none focus-visible:border-accent focus-visible:ring-2 focus-visible:ring-accent/25"
            />
            <span className="pointer-events-none absolute top-1/2 right-3 -translate-y-1/2 max-sm:hidden">
              <Keys keys="Ctrl+K" />
            </span>
          </div>
        )}

        <div className="mt-6">
          {projects === undefined && <Waiting />}
          {projects?.length === 0 && (
            <div className="rounded-2xl border border-line border-dashed">
              <Empty
                icon={Sparkles}
                title="Your first project"
                actions={
                  <Button kind="primary" onClick={() => setGenerating(true)}>
                    Generate project
                  </Button>
                }
              >
                Describe what you want to build. Polaris writes the files in nine steps, and you can
                watch it do so.
              </Empty>
            </div>
          )}
          {found.length > 0 && (
            <ul
              aria-label="Projects"
              className="divide-y divide-line overflow-hidden rounded-2xl border border-line bg-surface"
            >
              {found.slice(0, limit).map(({ _id, name, updatedAt }) => (
                <ProjectRow key={_id} id={_id} name={name} updatedAt={updatedAt} />
              ))}
            </ul>
          )}
          {projects !== undefined && projects.length > 0 && found.length === 0 && (
            <p className="py-10 text-center text-muted">No project has this name.</p>
          )}
          {found.length > limit && (
            <div className="mt-4 text-center">
              <Button onClick={() => setLimit(limit + SHOWN_AT_ONCE)}>
                Show more ({found.length - limit} left)
              </Button>
            </div>
          )}
        </div>
      </main>
      <GenerateDialog open={generating} onOpenChange={setGenerating} />
      <NewProjectDialog open={creating} onOpenChange={setCreating} />
    </div>
  );
}

function Waiting() {
  return (
    <div role="status" className="overflow-hidden rounded-2xl border border-line bg-surface">
      <span className="sr-only">Loading your projects</span>
      {[0, 1, 2].map((row) => (
        <div key={row} aria-hidden className="flex h-16 items-center gap-4 px-4">
          <div className="size-9 animate-breathe rounded-xl bg-hover" />
          <div className="h-3.5 w-44 animate-breathe rounded bg-hover" />
        </div>
      ))}
    </div>
  );
}
