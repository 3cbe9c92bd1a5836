"use client";
// One file, live; null once it is gone. A query that fails must not take the page down with it.

import { useQueries } from "convex/react";
import type { FunctionReturnType } from "convex/server";
import { useMemo } from "react";
import { api } from "../../../convex/_generated/api.js";

export type StoredFile = FunctionReturnType<typeof api.files.getFile>;

export function useStoredFile(fileId: string | undefined): StoredFile | null | undefined {
  const queries = useMemo(
    () =>
      fileId === undefined ? {} : { file: { query: api.files.getFile, args: { id: fileId } } },
    [fileId],
  );
  const { file }: { file?: StoredFile | Error | undefined } = useQueries(queries);
  return file instanceof Error ? null : file;
}
