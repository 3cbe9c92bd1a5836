"use client";
// The contents of the folders that are open in the tree, live: one query per folder, so that a write
// sends one folder again and not the project.

import { useQueries } from "convex/react";
import type { FunctionReturnType } from "convex/server";
import { useMemo, useRef } from "react";
import { api } from "../../convex/_generated/api.js";
import { type Contents, type Entry, ROOT, sorted } from "../components/files/tree-model.ts";
import { codeOf, explain } from "./errors.ts";

type Listed = FunctionReturnType<typeof api.files.getFolderContents>;

export interface Folders {
  contents: Contents;
  /** False until the top level is there. */
  ready: boolean;
  /** Why some folder cannot be shown. */
  problem: string | undefined;
}

export function useFolders(projectId: string, expanded: ReadonlySet<string>): Folders {
  const queries = useMemo(
    () =>
      Object.fromEntries(
        [ROOT, ...expanded].map((folder) => [
          folder,
          {
            query: api.files.getFolderContents,
            args: folder === ROOT ? { projectId } : { projectId, parentId: folder },
          },
        ]),
      ),
    [projectId, expanded],
  );
  const results: Record<string, Listed | undefined | Error> = useQueries(queries);
  // Ten thousand rows are sorted once, not at each render.
  const known = useRef(new Map<string, { listed: Listed; entries: Entry[] }>());
  return useMemo(() => {
    const contents = new Map<string, readonly Entry[]>();
    let problem: string | undefined;
    for (const [folder, listed] of Object.entries(results)) {
      if (listed instanceof Error) {
        // A folder that was open in this browser and has been deleted since.
        if (folder === ROOT || codeOf(listed) !== "FILE_NOT_FOUND") problem = explain(listed);
      } else if (listed !== undefined)
        contents.set(folder, entriesOf(known.current, folder, listed));
    }
    return { contents, ready: contents.has(ROOT), problem };
  }, [results]);
}

function entriesOf(
  known: Map<string, { listed: Listed; entries: Entry[] }>,
  folder: string,
  listed: Listed,
): Entry[] {
  const before = known.get(folder);
  if (before?.listed === listed) return before.entries;
  const parentId = folder === ROOT ? undefined : folder;
  const entries = sorted(listed.map(({ _id, name, type }) => ({ id: _id, parentId, name, type })));
  known.set(folder, { listed, entries });
  return entries;
}
