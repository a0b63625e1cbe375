/**
 * A queue between one writer and one slow reader that keeps only the latest value of each key: its
 * size is bounded by the number of keys, whatever the reader does.
 */
export class LatestQueue<T> {
  readonly #values = new Map<string, T>();
  #wake: (() => void) | undefined;

  get size(): number {
    return this.#values.size;
  }

  put(key: string, value: T): void {
    this.#values.delete(key); // so that the order is that of the last change
    this.#values.set(key, value);
    this.#wake?.();
  }

  /** Up to `max` values, oldest change first; waits for one. Empty only after the signal fired. */
  async take(max: number, signal: AbortSignal): Promise<readonly T[]> {
    while (this.#values.size === 0 && !signal.aborted) await this.#changed(signal);
    const taken: T[] = [];
    for (const [key, value] of this.#values) {
      if (taken.length >= max) break;
      taken.push(value);
      this.#values.delete(key);
    }
    return taken;
  }

  async #changed(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
