/**
 * How many bytes a second a flow may fetch. What was fetched is a debt that time pays off, and
 * while there is a debt nothing is fetched; so the average holds however large single answers are.
 * What the line leaves unused for a moment may be made up for within a quarter of a second.
 *
 * Several agents of a site share a limit by the slots that they hold.
 */
import type { Clock } from '../base/clock.ts';

const creditSeconds = 0.25;
/** Little at a time, so that the ends of all partitions are seen often. */
const fetchesPerSecond = 4;

export class RateLimit {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #limit: number | undefined;
  #share = 1;
  #debt = 0;
  #asOfMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of the flow as a whole; undefined: none. */
  get bytesPerSecond(): number | undefined {
    return this.#limit;
  }

  /** True while the limit makes somebody wait. */
  get isHolding(): boolean {
    return this.#waiting.size > 0;
  }

  /** How much one fetch should ask for at most. */
  get fetchBytes(): number {
    return Math.max(1, Math.ceil(this.#rate / fetchesPerSecond));
  }

  /** Takes effect at once, for those that wait already too. */
  set(bytesPerSecond: number | undefined): void {
    this.#pay();
    this.#limit = bytesPerSecond;
    this.#wakeAll();
  }

  /** @param share of the flow that is carried here, from 0 to 1 */
  setShare(share: number): void {
    this.#pay();
    this.#share = share;
    this.#wakeAll();
  }

  take(bytes: number): void {
    this.#pay();
    if (this.#limit !== undefined) this.#debt += bytes;
  }

  /** Resolves when something may be fetched, or on abort. */
  async ready(signal: AbortSignal): Promise<void> {
    this.#pay();
    while (this.#debt > 0 && !signal.aborted) {
      const stop = new AbortController();
      const wake = (): void => stop.abort();
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      const ms = Math.ceil((this.#debt / this.#rate) * 1000);
      await this.#clock.sleep(Math.min(ms, waitMsMax), stop.signal).catch(() => undefined);
      signal.removeEventListener('abort', wake);
      this.#waiting.delete(wake);
      this.#pay();
    }
  }

  get #rate(): number {
    // Without a limit there is none for a share of nothing either.
    return this.#limit === undefined ? Infinity : this.#limit * this.#share;
  }

  #pay(): void {
    const nowMs = this.#clock.monotonicMs();
    const seconds = (nowMs - this.#asOfMs) / 1000;
    this.#asOfMs = nowMs;
    if (this.#limit === undefined) {
      this.#debt = 0;
      return;
    }
    this.#debt = Math.max(-this.#rate * creditSeconds, this.#debt - this.#rate * seconds);
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake();
  }
}

/** Timers take no more than 2^31 ms; and a clock may be wrong. */
const waitMsMax = 60_000;
