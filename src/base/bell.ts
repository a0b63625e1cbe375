/** Wakes whoever sleeps on it; rung while nobody slept, the next one does not sleep. */
import type { Clock } from './clock.ts';

export class Bell {
  #isRung = false;
  #wake: () => void = () => undefined;

  ring(): void {
    this.#isRung = true;
    this.#wake();
  }

  /** Resolves when it is rung, the time is over or the signal fires. */
  async sleep(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    if (!this.#isRung) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      const either = AbortSignal.any([signal, woken.signal]);
      await clock.sleep(ms, either).catch(() => undefined);
    }
    this.#isRung = false;
  }
}
