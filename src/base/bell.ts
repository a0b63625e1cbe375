/** Wakes whoever sleeps on it; rung while nobody slept, the next one does not sleep. */
import type { Clock } from './clock.ts';
import { Pause } from './pause.ts';

export class Bell {
  readonly #pause: Pause;
  #isRung = false;

  constructor(clock: Clock) {
    this.#pause = new Pause(clock);
  }

  ring(): void {
    this.#isRung = true;
    this.#pause.end();
  }

  /** Resolves when it is rung, the time is over or the signal fires. */
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isRung) await this.#pause.wait(ms, signal);
    this.#isRung = false;
  }
}
