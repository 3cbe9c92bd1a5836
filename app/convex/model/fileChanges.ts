// What a command changed in a project, written back at once: file by file only where nobody else has
// changed the file since, and with the same end however often it is asked.
import type { Infer } from "convex/values";
import type { Doc, Id } from "../_generated/dataModel";
import type { MutationCtx } from "../_generated/server";
import type { changeLine } from "./fields";
import {
  type Change,
  children,
  createFolders,
  deleteTree,
  findFolder,
  requireFits,
  resolve,
  tellChange,
  touch,
} from "./files";
import { requireProject } from "./lookup";
import { splitFilePath } from "./paths";

interface FileChange {
  path: string;
  /** The file's `updatedAt` when the command began; null: there was none. */
  base: number | null;
  /** Undefined: the file is deleted. */
  content?: string | undefined;
  /** What the log says of it; told once. */
  line?: Infer<typeof changeLine> | undefined;
}

type Outcome = { outcome: "applied" | "conflict" | "refused"; reason?: string };

/** A change that is ready to be made. Every check comes before the first write. */
type Step = (now: number) => Promise<void>;

export async function applyChanges(
  ctx: MutationCtx,
  args: { projectId: string; changes: FileChange[] },
): Promise<Change & { outcomes: Outcome[] }> {
  const project = await requireProject(ctx, args.projectId);
  const outcomes: Outcome[] = [];
  let change: Change = { before: project.updatedAt, updatedAt: project.updatedAt };
  let isTouched = false;
  for (const wanted of args.changes) {
    const planned = await plan(ctx, project._id, wanted).catch(refusal);
    if (typeof planned === "function") {
      if (!isTouched) change = await touch(ctx, project);
      isTouched = true;
      await planned(change.updatedAt);
    }
    const told: Outcome = typeof planned === "function" ? { outcome: "applied" } : planned;
    if (told.outcome === "applied") await tellChange(ctx, project._id, wanted.path, wanted.line);
    outcomes.push(told);
  }
  return { ...change, outcomes };
}

/** A path that cannot be written must not undo the others; any other error must. */
function refusal(error: unknown): Outcome {
  const data = (error as { data?: { message?: unknown } }).data;
  if (typeof data?.message !== "string") throw error;
  return { outcome: "refused", reason: data.message };
}

async function plan(
  ctx: MutationCtx,
  projectId: Id<"projects">,
  { path, base, content }: FileChange,
): Promise<Outcome | Step> {
  const { folders, name } = splitFilePath(path);
  const row = await resolve(ctx, projectId, [...folders, name], "file");
  if (row === "root") throw new Error("a file path never names the root");
  if (content === undefined) return planDelete(ctx, row, base);
  if (row !== null) return planUpdate(ctx, row, base, content);
  // Deleted by somebody else while the command changed it.
  if (base !== null) return { outcome: "conflict" };
  const { parentId, missing } = await findFolder(ctx, projectId, folders);
  requireFits({ projectId, name, content });
  return async (now) => {
    const folder = await createFolders(ctx, projectId, parentId, missing, now);
    await ctx.db.insert("files", {
      projectId,
      ...(folder === undefined ? {} : { parentId: folder }),
      name,
      type: "file",
      content,
      updatedAt: now,
    });
  };
}

function planUpdate(
  ctx: MutationCtx,
  row: Doc<"files">,
  base: number | null,
  content: string,
): Outcome | Step {
  if (row.type === "folder") return { outcome: "refused", reason: "there is a folder" };
  if (row.content === content) return { outcome: "applied" };
  if (row.updatedAt !== base) return { outcome: "conflict" };
  requireFits({ projectId: row.projectId, name: row.name, content });
  return async (updatedAt) => {
    if (row.storageId !== undefined) await ctx.storage.delete(row.storageId);
    await ctx.db.patch(row._id, { content, storageId: undefined, updatedAt });
  };
}

async function planDelete(
  ctx: MutationCtx,
  row: Doc<"files"> | null,
  base: number | null,
): Promise<Outcome | Step> {
  // Gone is what was asked for.
  if (row === null) return { outcome: "applied" };
  if (row.type === "folder" || row.updatedAt !== base) return { outcome: "conflict" };
  const below = await children(ctx, row.projectId, row._id);
  if (below.length > 0) return { outcome: "conflict" };
  // The command saw this very version, whoever saved it.
  return async () => await deleteTree(ctx, row, row.name, Number.POSITIVE_INFINITY);
}
