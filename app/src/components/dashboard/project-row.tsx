"use client";
// One project of the list: its name, how its generation stands, when it was changed last.

import { useQuery } from "convex/react";
import { Ban, CircleAlert, Ellipsis, Folder, Pencil, Trash2 } from "lucide-react";
import Link from "next/link";
import { memo, useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import { request } from "../../live/request.ts";
import { generationWords } from "../generation/use-generation.ts";
import { Ago } from "../ui/ago.tsx";
import { Confirm } from "../ui/confirm.tsx";
import { Menu, MenuItem, MenuLine } from "../ui/menu.tsx";
import { ProgressBar } from "../ui/progress-bar.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { RenameDialog } from "./rename-dialog.tsx";

export const ProjectRow = memo(function ProjectRow({
  id,
  name,
  updatedAt,
}: {
  id: string;
  name: string;
  updatedAt: number;
}) {
  const generation = useQuery(api.projects.getGeneration, { projectId: id });
  const [deleting, setDeleting] = useState(false);
  const [renaming, setRenaming] = useState(false);
  const status = generation?.status ?? "none";
  const words = generation === undefined ? "" : generationWords(generation);
  const shown = status === "running" || status === "failed" || status === "cancelled";
  return (
    <li className="group relative flex items-center gap-3.5 pr-3 pl-4 hover:bg-hover/60">
      <span className="grid size-9 shrink-0 place-items-center rounded-xl border border-line bg-sunken text-faint">
        {status === "running" ? (
          <Spinner className="text-accent" />
        ) : status === "failed" ? (
          <CircleAlert aria-hidden className="size-4 text-danger" />
        ) : status === "cancelled" ? (
          <Ban aria-hidden className="size-4" />
        ) : (
          <Folder aria-hidden className="size-4" />
        )}
      </span>
      <div className="flex min-h-16 min-w-0 flex-1 flex-col justify-center py-2.5">
        <Link
          href={`/projects/${id}`}
          className="block truncate font-medium outline-none after:absolute after:inset-0 focus-visible:after:rounded-lg focus-visible:after:outline-2 focus-visible:after:outline-accent focus-visible:after:-outline-offset-2"
        >
          <bdi>{name}</bdi>
        </Link>
        <div className="flex h-5 min-w-0 items-center gap-2 text-faint text-xs">
          <Ago at={updatedAt} className="shrink-0" />
          {shown && (
            <>
              <span aria-hidden>·</span>
              <span
                role="status"
                className={`truncate tabular-nums ${status === "failed" ? "text-danger" : status === "running" ? "text-accent" : ""}`}
              >
                {words}
              </span>
            </>
          )}
        </div>
      </div>
      {status === "running" && generation !== undefined && (
        <div className="w-28 shrink-0 max-sm:hidden">
          <ProgressBar value={generation.step} max={generation.of} label={words} />
        </div>
      )}
      <Menu
        trigger={
          <button
            type="button"
            aria-label={`Actions for ${name}`}
            className="relative z-10 grid size-8 shrink-0 place-items-center rounded-lg text-muted hover:bg-line hover:text-ink"
          >
            <Ellipsis aria-hidden className="size-4" />
          </button>
        }
      >
        <MenuItem onSelect={() => setRenaming(true)}>
          <Pencil aria-hidden />
          Rename
        </MenuItem>
        <MenuLine />
        <MenuItem danger onSelect={() => setDeleting(true)}>
          <Trash2 aria-hidden />
          Delete
        </MenuItem>
      </Menu>
      <RenameDialog id={id} name={name} open={renaming} onOpenChange={setRenaming} />
      <Confirm
        open={deleting}
        onOpenChange={setDeleting}
        title={`Delete ${name}?`}
        action="Delete project"
        onConfirm={() =>
          request("DELETE", `/api/projects/delete?projectId=${encodeURIComponent(id)}`)
        }
      >
        Its files, its conversations and its log are deleted too. This cannot be undone.
      </Confirm>
    </li>
  );
});
