// Keeps the next run away from a process that a cancel is about to end.
//
// With `processKeepAlive` the CLI puts the process of a run that has just ended back into its pool. A
// cancel that meets the run in that moment still ends the process, some milliseconds later, and would
// take whatever run it has been given meanwhile with it. Only the CLI knows its pool, so for that
// moment no run is given out: from the cancel until the worker confirms that the cancelled attempt
// was still at work, or, when it turns out that it was not, until its process is surely gone.

/** A cancel that met a living attempt is known to have done so by then, or harms no other any more. */
const UNDECIDED_MS = 1_000;
/** The CLI asks the process to end and kills it after a second. */
const TOO_LATE_MS = 1_500;

export class Holds {
  readonly #until = new Map<string, number>();
  readonly #released: () => void;

  constructor(released: () => void) {
    this.#released = released;
  }

  /** The run was asked to cancel, or its worker has just learnt of it. */
  cancelling(runId: string): void {
    this.#until.set(runId, Date.now() + UNDECIDED_MS);
  }

  /** Its attempt ended: by the cancel, or by itself before the cancel came. */
  ended(runId: string, byCancel: boolean): void {
    if (!this.#until.has(runId)) return;
    if (!byCancel) {
      this.#until.set(runId, Date.now() + TOO_LATE_MS);
      return;
    }
    this.#until.delete(runId);
    this.#released();
  }

  /** How long nothing is to be given out, in ms; 0 when nothing is held. */
  remaining(): number {
    const now = Date.now();
    let longest = 0;
    for (const [runId, until] of this.#until) {
      if (until <= now) this.#until.delete(runId);
      else longest = Math.max(longest, until - now);
    }
    return longest;
  }
}
