// A whole project in pages, for those that keep a copy: what a project holds may be more than one
// transaction may read. Reads only.
import type { Doc } from "../_generated/dataModel";
import type { QueryCtx } from "../_generated/server";
import { requireProject } from "./lookup";

/** An array holds at most 8,192 values (docs.convex.dev/production/state/limits). */
const MAX_PAGE_ROWS = 4000;
/** One transaction reads at most 16 MiB, and the row that crosses this has up to 1 MiB. */
const MAX_PAGE_BYTES = 6 * 1024 * 1024;

export async function page(
  ctx: QueryCtx,
  args: {
    projectId: string;
    cursor: string | null;
    since?: number | undefined;
    unless?: number | undefined;
  },
) {
  const project = await requireProject(ctx, args.projectId);
  const { updatedAt } = project;
  if (updatedAt === args.unless) return { updatedAt, rows: [], cursor: null };
  const found = await ctx.db
    .query("files")
    .withIndex("by_project", (q) => q.eq("projectId", project._id))
    .paginate({
      cursor: args.cursor,
      numItems: MAX_PAGE_ROWS,
      maximumBytesRead: MAX_PAGE_BYTES,
    });
  return {
    updatedAt,
    rows: found.page.map((row) => shown(row, args.since ?? 0)),
    cursor: found.isDone ? null : found.continueCursor,
  };
}

function shown(row: Doc<"files">, since: number) {
  const { _id: id, parentId, name, type, content, storageId, updatedAt } = row;
  const binary = type === "file" && content === undefined && storageId !== undefined;
  const isWanted = type === "file" && !binary && updatedAt >= since;
  return {
    id,
    ...(parentId === undefined ? {} : { parentId }),
    name,
    type,
    updatedAt,
    ...(isWanted ? { content: content ?? "" } : {}),
    ...(binary ? { binary } : {}),
  };
}
