// The demo's third part: a project generated in nine steps, each a run of its own. Every file has to
// be what the model wrote, and the time that is not the model's is measured: once with processes that
// have to be started first, once with warm ones.

import { randomUUID } from "node:crypto";
import { ModelAdmin } from "../../model/client.ts";
import { generatedFiles } from "../../model/personas/generate-project/index.ts";
import type { Stack } from "../../stack/index.ts";
import { emptyProjectIn, runEvent, storedFiles, tableOf } from "./servers.ts";

export interface GenerateResult {
  status: string;
  steps: { id: string; runId: string; ms: number; files: number }[];
  files: number;
  events: number;
  /** Wall time of nine steps without the model's, ms: with warm processes, and with none at first. */
  overheadMs: number;
  coldOverheadMs: number;
}

interface Generated extends Omit<GenerateResult, "coldOverheadMs"> {
  intact: boolean;
  inOrder: boolean;
  related: boolean;
}

interface LogEvent {
  projectId: string;
  type: string;
  message: string;
  createdAt: number;
}

const DESCRIPTION = "A place where a small agency keeps its clients and what is to do for them";
const STEPS = [
  "generate-config-files",
  "generate-source-structure",
  "generate-components",
  "generate-pages",
  "generate-hooks",
  "generate-types",
  "generate-utilities",
  "finalize-readme",
  "verify-project",
];
const MAX_GENERATION_MS = 300_000;
/** Of nine steps, with warm processes. */
const MAX_OVERHEAD_MS = 3_000;

export async function generatePart(
  stack: Stack,
  progress: (line: string) => void,
): Promise<{ result: GenerateResult; held: boolean }> {
  // Processes of earlier parts are still warm; a new CLI has none.
  await stack.restart("cli");
  const first = await generateOne(stack);
  for (const { id, ms, files } of first.steps) progress(`  ${id}: ${files} file(s), ${ms} ms`);
  progress("  once more, with warm processes ...");
  const second = await generateOne(stack);
  progress(
    `  runner overhead (wall time without the model's): ${second.overheadMs} ms warm, ${first.overheadMs} ms cold`,
  );
  if (second.overheadMs > MAX_OVERHEAD_MS) {
    progress(`  the warm overhead is more than ${MAX_OVERHEAD_MS} ms`);
  }
  for (const [what, holds] of Object.entries({
    "a file is not what the model wrote": first.intact && second.intact,
    "the log does not tell of nine steps in order": first.inOrder && second.inOrder,
    "the steps are not the children of the run": first.related && second.related,
  })) {
    if (!holds) progress(`  ${what}`);
  }
  const held = [first, second].every(
    ({ status, intact, inOrder, related }) =>
      status === "completed" && intact && inOrder && related,
  );
  const { status, steps, files, events } = first;
  const overheads = { overheadMs: second.overheadMs, coldOverheadMs: first.overheadMs };
  return { result: { status, steps, files, events, ...overheads }, held };
}

async function generateOne(stack: Stack): Promise<Generated> {
  const { generate } = await import("../../../app/src/server/generations.ts");
  const { runner } = await import("../../../app/src/server/clients.ts");
  const projectId = await emptyProjectIn(stack, "Demo: generate");
  // First, so that the model's log of this generation can be told from others.
  const description = `[${randomUUID()}] ${DESCRIPTION}`;
  const begun = performance.now();
  const { runId } = await generate({ projectId, description });
  const finished = await runEvent(stack, runId, "finished", MAX_GENERATION_MS);
  const wallMs = performance.now() - begun;
  const modelMs = await modelTime(stack, description.slice(0, 40));

  const { runs } = runner();
  const run = await runs.retrieve(runId);
  const output = run.output as
    | { steps?: { id: string; runId: string; files: number }[] }
    | undefined;
  const steps = await Promise.all(
    (output?.steps ?? []).map(async ({ id, runId: stepRunId, files }) => {
      const { startedAt, createdAt, finishedAt } = await runs.retrieve(stepRunId);
      const ms = (finishedAt?.getTime() ?? 0) - (startedAt ?? createdAt).getTime();
      return { id, runId: stepRunId, ms, files };
    }),
  );
  const children = run.relatedRuns.children?.map(({ id }) => id) ?? [];
  const files = await storedFiles(stack, projectId);
  const log = (await tableOf<LogEvent>(stack, "generationEvents"))
    .filter((event) => event.projectId === projectId)
    .sort((one, other) => one.createdAt - other.createdAt);
  const told = log.filter(({ type }) => type === "step").map(({ message }) => message);
  const wanted = ["validate-input", ...STEPS].flatMap((id) => [
    `Starting ${id}`,
    `Completed ${id}`,
  ]);
  const written = generatedFiles(description, false);
  return {
    status: finished.data.status === "COMPLETED_SUCCESSFULLY" ? "completed" : "failed",
    steps,
    files: files.size,
    events: log.length,
    intact:
      files.size === written.size &&
      [...written].every(([path, content]) => files.get(path) === content),
    inOrder: told.join() === wanted.join() && steps.map(({ id }) => id).join() === STEPS.join(),
    related: steps.every(({ runId: step }) => children.includes(step)),
    overheadMs: Math.round(wallMs - modelMs),
  };
}

/** How long the model was at work on this; its requests come one after the other. */
async function modelTime(stack: Stack, contains: string): Promise<number> {
  const log = await new ModelAdmin(stack.admin("model")).log();
  const entries = log.filter(({ conversation }) => conversation.includes(contains));
  return entries
    .filter(({ type }) => type === "finished")
    .reduce((sum, { requestId, at }) => {
      const asked = entries.find(
        (entry) => entry.requestId === requestId && entry.type === "request",
      );
      return sum + at - (asked?.at ?? at);
    }, 0);
}
