// What `init` is going to do, as data: files before and after, what the person has to know, and what
// was left alone. Pure: nothing here reads or writes the project.

import { isSame, isUntouched, marked } from "./owned.ts";

export interface Change {
  /** Relative to the project, with forward slashes. */
  path: string;
  /** undefined: the file does not exist. */
  before: string | undefined;
  /** undefined: the file is removed. */
  after: string | undefined;
}

/** A function that stays with Inngest, and how it would be moved. */
export interface Remaining {
  id: string;
  file: string;
  recipe: string;
}

export class Plan {
  readonly notes: string[] = [];
  /** What was not recognised, and so left as it is. */
  readonly left: string[] = [];
  readonly remaining: Remaining[] = [];
  /** Packages that what is written needs, beside the runner's, with their versions. */
  readonly dependencies = new Map<string, string>();
  /** Packages of Inngest that something still needs; undefined: all are kept. */
  kept: ReadonlySet<string> | undefined;
  readonly #before = new Map<string, string | undefined>();
  readonly #after = new Map<string, string | undefined>();
  readonly #read: (path: string) => string | undefined;

  constructor(read: (path: string) => string | undefined) {
    this.#read = read;
  }

  /** The file as it will be. */
  get(path: string): string | undefined {
    return this.#after.has(path) ? this.#after.get(path) : this.#original(path);
  }

  set(path: string, text: string | undefined): void {
    this.#original(path);
    this.#after.set(path, text);
  }

  /** Writes a file that is ours; one that somebody has changed since is left, and listed. */
  own(path: string, text: string, version: string): void {
    const there = this.get(path);
    if (there === undefined || isUntouched(there)) {
      // An older version's line alone is no reason to change a file.
      if (there === undefined || !isSame(there, text)) this.set(path, marked(text, version));
    } else if (!isSame(there, text)) {
      this.left.push(`${path}: was changed since it was added, so it is not upgraded`);
    }
  }

  /** Writes a file that belongs to the project from then on: one that is there is never touched. */
  give(path: string, text: string): void {
    if (this.get(path) === undefined) this.set(path, text);
  }

  changes(): Change[] {
    return [...this.#after]
      .map(([path, after]) => ({ path, before: this.#original(path), after }))
      .filter(({ before, after }) => before !== after)
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  #original(path: string): string | undefined {
    if (!this.#before.has(path)) this.#before.set(path, this.#read(path));
    return this.#before.get(path);
  }
}

export interface Edit {
  start: number;
  end: number;
  text: string;
}

/** Applies edits that do not overlap; those at one place keep their order. */
export function edited(text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const { start, end, text: replacement } of edits
    .toReversed()
    .toSorted((a, b) => b.start - a.start)) {
    result = result.slice(0, start) + replacement + result.slice(end);
  }
  return result;
}
