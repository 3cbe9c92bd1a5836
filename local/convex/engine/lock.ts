// One at a time, first come first served. Queries and mutations run under this lock, which makes
// every one of them serializable: there is never a half-done mutation for anyone to see.

export class Lock {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
