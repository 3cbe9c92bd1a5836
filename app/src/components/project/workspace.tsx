"use client";
// One project: conversation, files, editor, generation log. Side by side where there is room; one at a
// time, chosen at the bottom, where there is not.

import { useQuery } from "convex/react";
import { type CSSProperties, useCallback, useEffect, useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import { ConversationPane } from "../conversation/pane.tsx";
import { EditorPane } from "../editor/editor-pane.tsx";
import { FilesPane } from "../files/files-pane.tsx";
import { GenerationLog } from "../generation/log.tsx";
import { GenerationStrip } from "../generation/strip.tsx";
import { useGeneration } from "../generation/use-generation.ts";
import { cx } from "../ui/cx.ts";
import { BottomBar } from "./bottom-bar.tsx";
import { Divider } from "./divider.tsx";
import { TopBar } from "./top-bar.tsx";
import { useWidth } from "./use-width.ts";
import type { View } from "./views.ts";

export function Workspace({ projectId, initialView }: { projectId: string; initialView: View }) {
  const project = useQuery(api.projects.getById, { id: projectId });
  const { generation, running, stopping, beginning, problem, stop, again } =
    useGeneration(projectId);
  const [view, setView] = useState<View>(initialView);
  const [openId, setOpenId] = useState<string>();
  const [width, setWidth] = useWidth();
  const showsLog = view === "log";
  const name = project?.name ?? "";

  useEffect(() => {
    if (name !== "") document.title = `${name} · Polaris`;
  }, [name]);

  const open = useCallback((id: string | undefined) => {
    setOpenId(id);
    if (id !== undefined) setView("editor");
  }, []);

  return (
    <div className="flex h-full flex-col">
      <TopBar projectId={projectId} name={name} view={view} onView={setView} running={running} />
      {running && generation !== undefined && (
        <GenerationStrip
          generation={generation}
          stopping={stopping}
          onStop={() => void stop()}
          onShowLog={showsLog ? undefined : () => setView("log")}
        />
      )}
      <div
        className="flex min-h-0 flex-1 max-lg:pb-12"
        style={{ "--conversation": `${width}px` } as CSSProperties}
      >
        <div
          className={cx(
            "min-w-0 max-lg:flex-1 lg:w-(--conversation) lg:shrink-0",
            view !== "chat" && "max-lg:hidden",
          )}
        >
          <ConversationPane projectId={projectId} />
        </div>
        <Divider width={width} onWidth={setWidth} />
        <main className={cx("flex min-w-0 flex-1", view === "chat" && "max-lg:hidden")}>
          <div
            className={cx(
              "min-w-0 border-line max-lg:flex-1 lg:w-64 lg:shrink-0 lg:border-r",
              view !== "files" && "max-lg:hidden",
              showsLog && "lg:hidden",
            )}
          >
            <FilesPane
              projectId={projectId}
              projectName={name === "" ? "project" : name}
              openId={openId}
              onOpen={open}
            />
          </div>
          <div
            className={cx(
              "min-w-0 flex-1 bg-surface",
              view !== "editor" && "max-lg:hidden",
              showsLog && "lg:hidden",
            )}
          >
            <EditorPane fileId={openId} />
          </div>
          {showsLog && (
            <div className="min-w-0 flex-1">
              <GenerationLog
                projectId={projectId}
                generation={generation}
                problem={problem}
                beginning={beginning}
                onAgain={() => void again()}
                onShowCode={() => setView("files")}
              />
            </div>
          )}
        </main>
      </div>
      <BottomBar view={view} onView={setView} />
    </div>
  );
}
