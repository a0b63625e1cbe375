/** Bounded repetition with growing, jittered delays: the one place where such a loop is written. */
import type { Clock } from './clock.ts';
import { isMeshError } from './errors.ts';

export interface BackoffOptions {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

/** Delays that double from min to max, each drawn from [half, whole]; `reset` on progress. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #clock: Clock;
  #attempts = 0;

  constructor(options: BackoffOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  get attempts(): number {
    return this.#attempts;
  }

  nextDelayMs(): number {
    const { delayMsMin, delayMsMax } = this.#options;
    const whole = Math.min(delayMsMax, delayMsMin * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return whole / 2 + (this.#clock.random() * whole) / 2;
  }

  async wait(signal?: AbortSignal): Promise<void> {
    await this.#clock.sleep(this.nextDelayMs(), signal);
  }

  reset(): void {
    this.#attempts = 0;
  }
}

export interface RetryOptions extends BackoffOptions {
  readonly attemptsMax: number;
  readonly isRetriable?: (error: unknown) => boolean;
  readonly onRetry?: (error: unknown, attempt: number) => void;
}

/**
 * Calls `work` until it succeeds, fails for good, or has been tried `attemptsMax` times.
 * @throws the last error, unchanged.
 */
export async function retry<T>(
  clock: Clock,
  options: RetryOptions,
  work: (attempt: number) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const backoff = new Backoff(options, clock);
  const isRetriable =
    options.isRetriable ?? ((error: unknown) => isMeshError(error) && error.retriable);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      const isLast = attempt >= options.attemptsMax || signal?.aborted === true;
      if (isLast || isMeshError(error, 'aborted') || !isRetriable(error)) throw error;
      options.onRetry?.(error, attempt);
      await backoff.wait(signal);
    }
  }
}
