"use client";
// The editor: which file, whether it is saved, its text, and what somebody else did to it.

import { useQuery } from "convex/react";
import { FileQuestion, FileText } from "lucide-react";
import dynamic from "next/dynamic";
import { api } from "../../../convex/_generated/api.js";
import { CopyButton } from "../ui/copy-button.tsx";
import { Empty } from "../ui/empty.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { BinaryFile } from "./binary-file.tsx";
import { Conflict } from "./conflict.tsx";
import { FilePath } from "./file-path.tsx";
import { useEditing } from "./use-editing.ts";
import { useStoredFile } from "./use-stored-file.ts";

const CodeEditor = dynamic(() => import("./code-editor.tsx").then((module) => module.CodeEditor), {
  ssr: false,
  loading: () => <Waiting />,
});

export function EditorPane({ fileId }: { fileId: string | undefined }) {
  const file = useStoredFile(fileId);
  if (fileId === undefined) {
    return (
      <div className="grid h-full place-items-center">
        <Empty icon={FileText} title="No file is open">
          Choose one in the file tree. What Polaris writes appears there as it happens.
        </Empty>
      </div>
    );
  }
  if (file === undefined) return <Waiting />;
  if (file === null) {
    return (
      <Empty icon={FileQuestion} title="This file is gone">
        It was deleted, by you in another tab or by Polaris.
      </Empty>
    );
  }
  if (file.content === undefined) return <BinaryFile name={file.name} url={file.url} />;
  return <OpenFile key={file._id} id={file._id} name={file.name} stored={file.content} />;
}

function OpenFile({ id, name, stored }: { id: string; name: string; stored: string }) {
  const { state, dirty, type, save, takeOther, dismiss } = useEditing(id, stored);
  const path = useQuery(api.files.getFilePath, { id });
  const says = state.failed
    ? "Not saved"
    : state.saving !== undefined
      ? "Saving…"
      : dirty
        ? "Edited"
        : state.mine !== undefined
          ? "Saved"
          : "";
  return (
    <section aria-label="Editor" className="flex h-full min-h-0 flex-col bg-surface">
      <header className="flex h-11 shrink-0 items-center gap-2 border-line border-b pr-1.5 pl-4">
        <FilePath names={path?.map((part) => part.name) ?? [name]} />
        <span
          role="status"
          className={`ml-auto shrink-0 text-xs ${state.failed ? "text-danger" : "text-faint"}`}
        >
          {says}
        </span>
        <CopyButton text={state.text} label="Copy file" />
      </header>
      <Conflict
        notice={state.notice}
        failed={state.failed}
        onTakeOther={takeOther}
        onDismiss={dismiss}
        onSave={() => void save()}
      />
      <div className="min-h-0 flex-1">
        <CodeEditor
          name={name}
          text={state.text}
          onText={type}
          onSave={() => void save()}
          onBlur={() => void save()}
        />
      </div>
    </section>
  );
}

function Waiting() {
  return (
    <div className="grid h-full place-items-center text-faint">
      <Spinner />
      <span className="sr-only">Loading</span>
    </div>
  );
}
