/**
 * What holds a flow back on purpose, at this moment: its limit and its pauses. Made once for a
 * flow, and changed while it runs.
 */
import type { Clock } from '../base/clock.ts';
import {
  isWithin,
  saidText,
  type LimitOverride,
  type Override,
  type PauseOverride,
} from './overrides.ts';
import { RateLimit } from './rate-limit.ts';

export class FlowControls {
  readonly flow: string;
  readonly rate: RateLimit;
  readonly #listeners = new Set<() => void>();
  #fileLimit: number | undefined;
  #limit: LimitOverride | undefined;
  #pauses: readonly PauseOverride[] = [];

  constructor(flow: string, fileLimit: number | undefined, clock: Clock) {
    this.flow = flow;
    this.rate = new RateLimit(clock);
    this.setFileLimit(fileLimit);
  }

  /** The pause of the flow as a whole. */
  get pause(): PauseOverride | undefined {
    return this.#pauses.find(({ topic }) => topic === undefined);
  }

  get hasPauses(): boolean {
    return this.#pauses.length > 0;
  }

  /** The widest one that holds this partition. */
  pauseOf(topic: string, partition: number): PauseOverride | undefined {
    if (this.#pauses.length === 0) return undefined;
    const place = { flow: this.flow, topic, partition };
    const held = this.#pauses.filter((pause) => isWithin(place, pause));
    return held.find((pause) => pause.partition === undefined) ?? held[0];
  }

  get limitText(): string {
    const { bytesPerSecond } = this.rate;
    if (bytesPerSecond === undefined) return '';
    const text = `${(bytesPerSecond / 1e6).toFixed(1)} MB/s`;
    const from = this.#limit === undefined ? 'of the topology file' : saidText(this.#limit);
    return `limit of ${text}, ${from}`;
  }

  setFileLimit(bytesPerSecond: number | undefined): void {
    this.#fileLimit = bytesPerSecond;
    this.#applyLimit();
  }

  setOverrides(overrides: readonly Override[]): void {
    this.#pauses = overrides.filter((one) => one.kind === 'pause');
    this.#limit = overrides.find((one) => one.kind === 'limit');
    this.#applyLimit();
    for (const listener of this.#listeners) listener();
  }

  /** Told of every change of what is paused. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #applyLimit(): void {
    const wanted = this.#limit === undefined ? this.#fileLimit : this.#limit.bytesPerSecond;
    if (wanted !== this.rate.bytesPerSecond) this.rate.set(wanted);
  }
}
