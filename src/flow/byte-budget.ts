/** Bytes in flight, bounded over all flows of an agent. Back-pressure is not fetching. */
import { assert } from '../base/assert.ts';

export class ByteBudget {
  readonly #bytesMax: number;
  #used = 0;
  readonly #waiting = new Set<() => void>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get used(): number {
    return this.#used;
  }

  get hasRoom(): boolean {
    return this.#used < this.#bytesMax;
  }

  take(bytes: number): void {
    // One that is no number would leave no room for ever.
    assert(Number.isSafeInteger(bytes), `bytes in flight: ${bytes}`);
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
    if (!this.hasRoom) return;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /**
   * Resolves when there is room, or on abort. What is fetched then may overshoot by one response.
   */
  async room(signal: AbortSignal): Promise<void> {
    while (!this.hasRoom && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake);
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }
}
