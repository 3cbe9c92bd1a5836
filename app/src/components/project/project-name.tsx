"use client";
// The project's name: a click changes it, Enter or leaving saves, Esc takes it back.

import { useMutation } from "convex/react";
import { useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import { explain } from "../../live/errors.ts";

export function ProjectName({ projectId, name }: { projectId: string; name: string }) {
  const rename = useMutation(api.projects.rename);
  const [text, setText] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const save = async (): Promise<void> => {
    const wanted = text?.trim() ?? "";
    if (wanted === "" || wanted === name) {
      setText(undefined);
      setProblem(undefined);
      return;
    }
    try {
      await rename({ id: projectId, name: wanted });
      setText(undefined);
      setProblem(undefined);
    } catch (error) {
      setProblem(explain(error));
    }
  };
  if (text === undefined) {
    return (
      <h1 className="min-w-0">
        <button
          type="button"
          title="Rename"
          onClick={() => setText(name)}
          className="block max-w-full truncate rounded-md px-1.5 py-1 font-medium hover:bg-hover"
        >
          <bdi>{name === "" ? "…" : name}</bdi>
        </button>
      </h1>
    );
  }
  return (
    <div className="flex min-w-0 items-center gap-2">
      <input
        // biome-ignore lint/a11y/noAutofocus: the person has just asked for it
        autoFocus
        aria-label="Project name"
        aria-invalid={problem !== undefined || undefined}
        maxLength={200}
        value={text}
        onFocus={({ currentTarget }) => currentTarget.select()}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => void save()}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Enter") event.currentTarget.blur();
          if (event.key === "Escape") {
            // Else it would stop an answer.
            event.preventDefault();
            setText(undefined);
            setProblem(undefined);
          }
        }}
        className="h-8 w-56 min-w-0 rounded-md border border-control bg-surface px-1.5 font-medium outline-none focus-visible:border-accent"
      />
      {problem !== undefined && (
        <span role="alert" className="truncate text-danger text-xs">
          {problem}
        </span>
      )}
    </div>
  );
}
