"use client";
// A project's files: the tree, what can be done with it, and the download.

import { useConvex, useMutation } from "convex/react";
import { ChevronsDownUp, Download, FilePlus, FolderPlus, FolderTree } from "lucide-react";
import { useMemo, useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import { explain } from "../../live/errors.ts";
import { useFolders } from "../../live/folders.ts";
import { downloadZip } from "../../live/zip.ts";
import { Confirm } from "../ui/confirm.tsx";
import { Empty } from "../ui/empty.tsx";
import { IconButton } from "../ui/icon-button.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { NameDialog, type NameRequest } from "./name-dialog.tsx";
import { Tree } from "./tree.tsx";
import { type Row, visibleRows } from "./tree-model.ts";
import { useTree } from "./use-tree.ts";

export function FilesPane({
  projectId,
  projectName,
  openId,
  onOpen,
}: {
  projectId: string;
  projectName: string;
  openId: string | undefined;
  onOpen: (id: string | undefined) => void;
}) {
  const convex = useConvex();
  const createFile = useMutation(api.files.createFile);
  const createFolder = useMutation(api.files.createFolder);
  const renameFile = useMutation(api.files.renameFile);
  const deleteFile = useMutation(api.files.deleteFile);
  const { expanded, toggle, expand, collapseAll } = useTree(projectId);
  const { contents, ready, problem } = useFolders(projectId, expanded);
  const rows = useMemo(() => visibleRows(contents, expanded), [contents, expanded]);
  const [active, setActive] = useState<Row>();
  const [naming, setNaming] = useState<NameRequest>();
  const [deleting, setDeleting] = useState<Row["entry"]>();
  const [download, setDownload] = useState<"idle" | "busy" | string>("idle");

  const begin = (type: "file" | "folder", parentId: string | undefined): void => {
    const folder = rows.find(({ entry }) => entry.id === parentId)?.entry.name;
    const parent = parentId === undefined ? {} : { parentId };
    setNaming({
      title: type === "file" ? "New file" : "New folder",
      action: "Create",
      initial: "",
      place: folder === undefined ? "At the top of the project" : `In ${folder}`,
      onName: async (name) => {
        if (type === "file") await createFile({ projectId, ...parent, name, content: "" });
        else await createFolder({ projectId, ...parent, name });
        if (parentId !== undefined) expand(parentId);
      },
    });
  };
  /** Where the keyboard is: in that folder, or beside that file. */
  const here =
    active?.entry.type === "folder" && active.expanded ? active.entry.id : active?.entry.parentId;

  const rename = ({ entry }: Row): void =>
    setNaming({
      title: entry.type === "file" ? "Rename file" : "Rename folder",
      action: "Rename",
      initial: entry.name,
      onName: async (name) => {
        await renameFile({ id: entry.id, newName: name });
      },
    });

  const saveZip = async (): Promise<void> => {
    if (download === "busy") return;
    setDownload("busy");
    try {
      await downloadZip(convex, projectId, projectName);
      setDownload("idle");
    } catch (error) {
      setDownload(`The project could not be downloaded. ${explain(error)}`);
    }
  };

  return (
    <section aria-label="Files" className="flex h-full min-h-0 flex-col bg-canvas">
      <header className="flex h-11 shrink-0 items-center border-line border-b pr-1.5 pl-4">
        <h2 className="mr-auto font-medium text-sm">Files</h2>
        <IconButton label="New file" onClick={() => begin("file", here)}>
          <FilePlus aria-hidden />
        </IconButton>
        <IconButton label="New folder" onClick={() => begin("folder", here)}>
          <FolderPlus aria-hidden />
        </IconButton>
        <IconButton label="Collapse all" disabled={expanded.size === 0} onClick={collapseAll}>
          <ChevronsDownUp aria-hidden />
        </IconButton>
        <IconButton
          label="Download .zip"
          disabled={download === "busy" || rows.length === 0}
          onClick={() => void saveZip()}
        >
          {download === "busy" ? <Spinner /> : <Download aria-hidden />}
        </IconButton>
      </header>
      {download !== "idle" && download !== "busy" && (
        <Notice tone="danger" title={download} className="m-2" />
      )}
      {problem !== undefined && <Notice tone="danger" title={problem} className="m-2" />}
      {!ready && problem === undefined && (
        <div className="grid flex-1 place-items-center text-faint">
          <Spinner />
          <span className="sr-only">Loading the files</span>
        </div>
      )}
      {ready && rows.length === 0 && (
        <Empty icon={FolderTree} title="No files yet">
          Ask Polaris for something in the conversation, or create a file yourself.
        </Empty>
      )}
      {ready && rows.length > 0 && (
        <div className="flex min-h-0 flex-1 flex-col pt-1.5">
          <Tree
            rows={rows}
            selectedId={openId}
            label={`Files of ${projectName}`}
            onOpen={onOpen}
            onToggle={toggle}
            onRename={rename}
            onDelete={({ entry }) => setDeleting(entry)}
            onNew={begin}
            onActive={setActive}
          />
        </div>
      )}
      <NameDialog request={naming} onClose={() => setNaming(undefined)} />
      <Confirm
        open={deleting !== undefined}
        onOpenChange={(open) => (open ? undefined : setDeleting(undefined))}
        title={`Delete ${deleting?.name ?? ""}?`}
        action="Delete"
        onConfirm={async () => {
          if (deleting === undefined) return;
          await deleteFile({ id: deleting.id });
          if (deleting.id === openId) onOpen(undefined);
        }}
      >
        {deleting?.type === "folder" ? "Everything in it is deleted too. " : ""}
        This cannot be undone.
      </Confirm>
    </section>
  );
}
