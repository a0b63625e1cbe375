/** A pause that may be cut short while it lasts; between two of them that says nothing. */
import type { Clock } from './clock.ts';

export class Pause {
  readonly #clock: Clock;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when the time is over, it is ended or the signal fires. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const controller = new AbortController();
    const wake = (): void => controller.abort();
    signal.addEventListener('abort', wake, { once: true });
    this.#wake = wake;
    await this.#clock.sleep(ms, controller.signal).catch(() => undefined);
    if (this.#wake === wake) this.#wake = undefined;
    signal.removeEventListener('abort', wake);
  }

  /** Ends the pause, if there is one. */
  end(): void {
    this.#wake?.();
  }
}
