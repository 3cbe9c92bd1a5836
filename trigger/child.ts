// Stops the child run that a run waits for, as soon as the run itself is told to stop: the runner
// stops children only after their parent has ended. Holds nothing but the child's id, and that only
// during the wait.

import { runs } from "@trigger.dev/sdk";

type Stop = () => Promise<void>;

/** By the signal of the run, which no other run has. */
const waits = new WeakMap<AbortSignal, Stop>();
const stopping = new WeakMap<AbortSignal, Promise<void>>();

interface Waiting {
  signal: AbortSignal;
  wait: { type: string; runId?: string };
}

/** For a task's `onWait`. */
export function stopChildWithRun({ wait, signal }: Waiting): void {
  const { runId } = wait;
  if (wait.type !== "task" || runId === undefined) return;
  const stop = (): Promise<void> => {
    const stopped = cancelRun(runId);
    stopping.set(signal, stopped);
    return stopped;
  };
  waits.set(signal, stop);
  signal.addEventListener("abort", stop, { once: true });
  // A signal that was aborted before never fires again.
  if (signal.aborted) void stop();
}

/** For a task's `onResume`. */
export function childEnded({ signal }: Pick<Waiting, "signal">): void {
  const stop = waits.get(signal);
  waits.delete(signal);
  if (stop !== undefined) signal.removeEventListener("abort", stop);
}

/** For a task's `onCancel`: the child has been told. */
export async function childStopped(signal: AbortSignal): Promise<void> {
  await stopping.get(signal);
}

async function cancelRun(runId: string): Promise<void> {
  try {
    await runs.cancel(runId);
  } catch {
    // It has ended, or cannot be reached now: the runner stops it with its parent.
  }
}
