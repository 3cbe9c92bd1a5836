// For tests on convex-test, whose scheduler is made of timers of the test's own process.

/**
 * convex-test schedules functions with timers of this process: one that is due in minutes (the check
 * of a message's lease) must not keep the test alive.
 */
export function letFarTimersGo(): void {
  const FAR_MS = 60_000;
  const original = globalThis.setTimeout;
  const patched = ((run: () => void, ms?: number, ...rest: []) => {
    const timer = original(run, ms, ...rest);
    if ((ms ?? 0) >= FAR_MS) timer.unref();
    return timer;
  }) as typeof setTimeout;
  globalThis.setTimeout = Object.assign(patched, original);
}
