"use client";
// The log of a project's generation, live and after a reload: what happened, in order, with previews
// of the files, and how it ended.

import { useQuery } from "convex/react";
import { ScrollText } from "lucide-react";
import type { ReactNode } from "react";
import { api } from "../../../convex/_generated/api.js";
import { useStickToBottom } from "../conversation/use-stick-to-bottom.ts";
import { Empty } from "../ui/empty.tsx";
import { Notice } from "../ui/notice.tsx";
import { LogRow } from "./log-row.tsx";
import { reachedStep } from "./log-words.ts";
import { StepList } from "./step-list.tsx";
import type { Generation } from "./use-generation.ts";

/** A generation of nine steps writes about a hundred lines. */
const SHOWN_LINES = 500;

export function GenerationLog({
  projectId,
  generation,
  problem,
}: {
  projectId: string;
  generation: Generation | undefined;
  problem: string | undefined;
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
        <div ref={content} className="mx-auto max-w-3xl px-4 py-5">
          {events?.length === 0 && (
            <Empty icon={ScrollText} title="Nothing was generated here">
              This project was made by hand. A project that is generated tells here, step by step,
              what it does.
            </Empty>
          )}
          {events !== undefined && events.length > 0 && generation !== undefined && (
            <>
              {generation.status !== "none" && (
                <StepList status={generation.status} reached={reachedStep(events)} />
              )}
              <ol className="mt-5">
                {events.map((event) => (
                  <LogRow key={event._id} event={event} />
                ))}
              </ol>
              <End generation={generation} />
            </>
          )}
        </div>
      </div>
    </section>
  );
}

function End({ generation: { status, label } }: { generation: Generation }): ReactNode {
  if (status === "failed") {
    return (
      <Notice tone="danger" alert={false} title="The generation failed." className="mt-4">
        {label}. The files that were written are kept. You can go on from here in the conversation,
        or generate the project again from the list of projects.
      </Notice>
    );
  }
  if (status === "cancelled") {
    return (
      <Notice tone="info" title="The generation was cancelled." className="mt-4">
        The files that were written until then are kept.
      </Notice>
    );
  }
  return null;
}
