/**
 * Whether the brokers of a site answer: by what the consumer hears of them anyway, and when it has
 * heard nothing for a while, by asking.
 */
import { isAborted, type Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { ConsumerLog } from './events.ts';

export interface ContactOptions {
  readonly site: string;
  readonly ping: () => Promise<void>;
  /** Heard nothing for so long: ask. */
  readonly staleMs: number;
  readonly onLost: (silentMs: number) => void;
  readonly onFound: (silentMs: number) => void;
}

export class Contact {
  readonly #options: ContactOptions;
  readonly #clock: Clock;
  readonly #log: ConsumerLog;
  #heardMs: number;
  #isSilent = false;

  constructor(options: ContactOptions, { clock, log }: { clock: Clock; log: ConsumerLog }) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#heardMs = clock.monotonicMs();
  }

  heard(): void {
    const silentMs = this.silentMs();
    this.#heardMs = this.#clock.monotonicMs();
    this.#isSilent = false;
    if (silentMs > 0) this.#options.onFound(silentMs);
  }

  /** For how long nothing was heard, asked or not; 0 unless the last question stayed unanswered. */
  silentMs(): number {
    return this.#isSilent ? this.#clock.monotonicMs() - this.#heardMs : 0;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { site, ping, staleMs, onLost } = this.#options;
    while (!isAborted(signal)) {
      await this.#clock.sleep(staleMs, signal).catch(() => undefined);
      const askedMs = this.#clock.monotonicMs();
      if (isAborted(signal) || askedMs - this.#heardMs < staleMs) continue;
      try {
        await ping();
        this.heard();
      } catch (error) {
        this.#log.debug({ site, why: errorMessage(error) }, 'site does not answer');
        // Something may have been heard while it was asked.
        const wasSilent = this.#isSilent;
        this.#isSilent = this.#heardMs <= askedMs;
        if (this.#isSilent && !wasSilent) onLost(this.silentMs());
      }
    }
  }
}
