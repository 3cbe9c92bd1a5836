"use client";
// The log of a project's generation, live and after a reload: what happened, in order, with previews
// of the files, and how it ended.

import { useQuery } from "convex/react";
import { FolderTree, RotateCcw, ScrollText } from "lucide-react";
import type { ReactNode } from "react";
import { api } from "../../../convex/_generated/api.js";
import { useStickToBottom } from "../conversation/use-stick-to-bottom.ts";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { Notice } from "../ui/notice.tsx";
import { LogRow } from "./log-row.tsx";
import { filesOf, progressOf } from "./log-words.ts";
import { StepList } from "./step-list.tsx";
import type { Generation } from "./use-generation.ts";

/** A generation of nine steps writes about a hundred lines. */
const SHOWN_LINES = 500;

export function GenerationLog({
  projectId,
  generation,
  problem,
  beginning,
  onAgain,
  onShowCode,
}: {
  projectId: string;
  generation: Generation | undefined;
  problem: string | undefined;
  beginning: boolean;
  onAgain: () => void;
  onShowCode: () => void;
}) {
  const events = useQuery(api.projects.getGenerationEvents, { projectId, limit: SHOWN_LINES });
  const { scroller, content } = useStickToBottom();
  return (
    <section aria-label="Generation log" className="flex h-full min-h-0 flex-col bg-canvas">
      {problem !== undefined && <Notice tone="danger" title={problem} className="m-4 mb-0" />}
      <div
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Generation log lines"
        className="thin-scroll min-h-0 flex-1 overflow-y-auto outline-none focus-visible:ring-2 focus-visible:ring-accent/40 focus-visible:ring-inset"
      >
        <div ref={content} className="mx-auto max-w-3xl px-4 pb-5">
          {events?.length === 0 && (
            <Empty icon={ScrollText} title="Nothing was generated here">
              This project was made by hand. A project that is generated tells here, step by step,
              what it does.
            </Empty>
          )}
          {events !== undefined && events.length > 0 && generation !== undefined && (
            <>
              {generation.status !== "none" && (
                <div className="sticky top-0 z-10 -mx-4 border-line border-b bg-canvas px-4 py-3">
                  <StepList status={generation.status} progress={progressOf(events)} />
                </div>
              )}
              <ol className="mt-3">
                {events.map((event) => (
                  <LogRow key={event._id} event={event} />
                ))}
              </ol>
              <End
                generation={generation}
                files={filesOf(events)}
                beginning={beginning}
                onAgain={onAgain}
                onShowCode={onShowCode}
              />
            </>
          )}
        </div>
      </div>
    </section>
  );
}

function End({
  generation: { status, label },
  files,
  beginning,
  onAgain,
  onShowCode,
}: {
  generation: Generation;
  files: number;
  beginning: boolean;
  onAgain: () => void;
  onShowCode: () => void;
}): ReactNode {
  if (status === "completed") {
    return (
      <Notice
        tone="success"
        title="The project is ready."
        className="mt-4"
        actions={
          <Button size="sm" onClick={onShowCode}>
            <FolderTree aria-hidden className="size-3.5" />
            Show the files
          </Button>
        }
      >
        {files === 1 ? "One file was" : `${files} files were`} written. Ask for changes in the
        conversation, or take the project along as a .zip.
      </Notice>
    );
  }
  if (status !== "failed" && status !== "cancelled") return null;
  const failed = status === "failed";
  return (
    <Notice
      tone={failed ? "danger" : "info"}
      alert={false}
      title={failed ? sentence(label) : "The generation was cancelled."}
      className="mt-4"
      actions={
        <Button size="sm" busy={beginning} onClick={onAgain}>
          {!beginning && <RotateCcw aria-hidden className="size-3.5" />}
          Go on from here
        </Button>
      }
    >
      The files that were written are kept. The steps that were finished are not done again.
    </Notice>
  );
}

function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
