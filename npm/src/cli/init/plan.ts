// What `init` is going to do, as data: files before and after, what the person has to know, and what
// was left alone. Pure: nothing here reads or writes the project.

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

  /** Writes a file that is ours; one that the person has changed since is left, and listed. */
  add(path: string, text: string): void {
    const there = this.get(path);
    if (there === undefined) this.set(path, text);
    else if (there !== text) this.left.push(`${path}: exists already and differs from ours`);
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
