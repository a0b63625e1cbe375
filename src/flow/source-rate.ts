/**
 * Records a second written at the source, smoothed over about ten seconds, from its end offsets.
 */
import type { Clock } from '../base/clock.ts';

const smoothingMs = 10_000;

export class SourceRate {
  readonly #clock: Clock;
  #end: number | undefined;
  #atMs = 0;
  #perSecond: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** undefined until two ends were seen. */
  get perSecond(): number | undefined {
    return this.#perSecond;
  }

  observe(end: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#end === undefined) {
      this.#end = end;
      this.#atMs = nowMs;
      return;
    }
    const elapsedMs = nowMs - this.#atMs;
    // Fetches come many times a second: shorter stretches would only add noise.
    if (elapsedMs < 500) return;
    const rate = (Math.max(0, end - this.#end) / elapsedMs) * 1000;
    const weight = 1 - Math.exp(-elapsedMs / smoothingMs);
    this.#perSecond = this.#perSecond === undefined ? rate : mix(this.#perSecond, rate, weight);
    this.#end = end;
    this.#atMs = nowMs;
  }
}

function mix(before: number, now: number, weight: number): number {
  return before + (now - before) * weight;
}
