/**
 * An AbortController that others abort, too. `AbortSignal.any` would do, but for what it leaves
 * behind in a signal that lives longer, each time: this one lets go of them when it is disposed.
 */
export class LinkedAbort implements Disposable {
  readonly #controller = new AbortController();
  readonly #others: readonly AbortSignal[];
  readonly #onAbort = (): void => this.abort();

  constructor(...others: readonly AbortSignal[]) {
    this.#others = others;
    for (const other of others) {
      if (other.aborted) this.abort();
      else other.addEventListener('abort', this.#onAbort, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(): void {
    this.#controller.abort();
  }

  [Symbol.dispose](): void {
    for (const other of this.#others) other.removeEventListener('abort', this.#onAbort);
  }
}
