"use client";
// How a project's generation stands, live, and how it is stopped.

import { useQuery } from "convex/react";
import type { FunctionReturnType } from "convex/server";
import { useCallback, useEffect, useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import { explain } from "../../live/errors.ts";
import { request } from "../../live/request.ts";

export type Generation = FunctionReturnType<typeof api.projects.getGeneration>;

export function useGeneration(projectId: string) {
  const generation = useQuery(api.projects.getGeneration, { projectId });
  const [stopping, setStopping] = useState(false);
  const [beginning, setBeginning] = useState(false);
  const [problem, setProblem] = useState<string>();
  const running = generation?.status === "running";

  useEffect(() => {
    if (!running) setStopping(false);
  }, [running]);

  const stop = useCallback(async (): Promise<void> => {
    if (stopping) return;
    setStopping(true);
    setProblem(undefined);
    try {
      await request("DELETE", "/api/projects/generate", { projectId });
    } catch (error) {
      setStopping(false);
      setProblem(`The generation could not be stopped. ${explain(error)}`);
    }
  }, [projectId, stopping]);

  /** Goes on behind the last finished step. */
  const again = useCallback(async (): Promise<void> => {
    if (beginning) return;
    setBeginning(true);
    setProblem(undefined);
    try {
      await request("POST", "/api/projects/generate", { projectId });
    } catch (error) {
      setProblem(`The generation could not be started. ${explain(error)}`);
    } finally {
      setBeginning(false);
    }
  }, [projectId, beginning]);

  return { generation, running, stopping, beginning, problem, stop, again };
}

/** The state in words, as the list of projects and the project's page say it. */
export function generationWords({ status, step, of, label }: Generation): string {
  switch (status) {
    case "none":
      return "";
    case "running":
      return step === 0 ? label : `Step ${step} of ${of}: ${label}`;
    case "completed":
      return "Generated";
    case "failed":
      return "Generation failed";
    case "cancelled":
      return "Generation cancelled";
  }
}
