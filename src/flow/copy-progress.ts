/** How far a partition has been copied, how far its source reaches, and what that makes of lag. */
import type { Clock } from '../base/clock.ts';
import type { MapFrontier } from '../offsets/run.ts';
import { SourceRate } from './source-rate.ts';
import type { PartitionStatus } from './status.ts';

export class CopyProgress {
  readonly #clock: Clock;
  readonly #rate: SourceRate;
  #position: number | undefined;
  #sourceEnd: number | undefined;
  #sourceEndAsOfMs: number | undefined;
  #isEndKnown = false;
  #copiedMaxTimestamp = -1;
  #currentAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#rate = new SourceRate(clock);
    this.#currentAtMs = clock.nowMs();
  }

  get position(): number | undefined {
    return this.#position;
  }

  get sourceEnd(): number | undefined {
    return this.#sourceEnd;
  }

  get lagRecords(): number {
    return Math.max(0, (this.#sourceEnd ?? 0) - (this.#position ?? this.#sourceEnd ?? 0));
  }

  /** Where the source ends has been told since copying began: what confirms it has something to. */
  get isEndKnown(): boolean {
    return this.#isEndKnown;
  }

  setSourceEnd(end: number): void {
    this.#isEndKnown = true;
    this.#sourceEnd = end;
    this.#sourceEndAsOfMs = this.#clock.nowMs();
    this.#rate.observe(end);
  }

  /** It ends where it ended; false: that is not known since copying began. */
  confirmSourceEnd(): boolean {
    if (!this.#isEndKnown || this.#sourceEnd === undefined) return false;
    this.setSourceEnd(this.#sourceEnd);
    return true;
  }

  /** A takeover found where copying stands. */
  begin(position: number): void {
    this.#isEndKnown = false;
    this.#position = position;
  }

  advance(position: number): void {
    this.#position = position;
    if (this.#sourceEnd !== undefined && position >= this.#sourceEnd) {
      this.#currentAtMs = this.#clock.nowMs();
    }
  }

  copied(maxTimestamp: number): void {
    this.#copiedMaxTimestamp = Math.max(this.#copiedMaxTimestamp, maxTimestamp);
  }

  /** As the offset map stores it; -1: not known. */
  frontier(): Omit<MapFrontier, 'scannedEnd'> {
    const position = this.#position ?? 0;
    return {
      sourceEnd: this.#sourceEnd ?? -1,
      sourceEndAsOfMs: this.#sourceEndAsOfMs ?? -1,
      lagSeconds: this.#lagSeconds(Math.max(0, (this.#sourceEnd ?? position) - position)),
      sourceRate: this.#rate.perSecond ?? -1,
    };
  }

  status(): Pick<
    PartitionStatus,
    'position' | 'sourceEnd' | 'lagRecords' | 'lagSeconds' | 'sourceEndAsOfMs'
  > {
    const isKnown = this.#position !== undefined && this.#sourceEnd !== undefined;
    const lag = isKnown ? this.lagRecords : undefined;
    const big = (value: number | undefined): bigint | undefined =>
      value === undefined ? undefined : BigInt(value);
    return {
      position: big(this.#position),
      sourceEnd: big(this.#sourceEnd),
      lagRecords: big(lag),
      lagSeconds: lag === undefined ? undefined : this.#lagSeconds(lag),
      sourceEndAsOfMs: this.#sourceEndAsOfMs,
    };
  }

  #lagSeconds(lag: number): number {
    if (lag === 0) return 0;
    // The oldest record not copied came after the last one copied, and after we were last current.
    const since = Math.max(this.#copiedMaxTimestamp, this.#currentAtMs);
    return Math.max(0, this.#clock.nowMs() - since) / 1000;
  }
}
