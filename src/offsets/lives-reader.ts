/**
 * One reader over two lives of a topic. The newest one answers; for source offsets before all that
 * it knows, and for what was committed before its source was cut, the life before: its copies lie
 * before those of the newest. Back from the target the
 * newest alone is asked: source offsets of a life that is over mean nothing in the next one.
 */
import type { MapReader } from './map-book.ts';
import type { OffsetMap } from './offset-map.ts';
import type { LogStarts, MapFrontier, MapId, MapTranslation } from './run.ts';

export class LivesReader implements MapReader {
  readonly #newest: OffsetMap;
  readonly #before: OffsetMap;

  constructor(newest: OffsetMap, before: OffsetMap) {
    this.#newest = newest;
    this.#before = before;
  }

  get id(): MapId {
    return this.#newest.id;
  }

  get frontier(): MapFrontier | undefined {
    return this.#newest.frontier;
  }

  /** Before it an earlier life may have been copied, but for a target that is a new one too. */
  get copiedFrom(): number {
    return this.#newest.copiedFrom;
  }

  get logStarts(): LogStarts {
    return this.#newest.logStarts;
  }

  forward(offset: bigint, leaderEpoch = -1): MapTranslation {
    const found = this.#newest.forward(offset, leaderEpoch);
    const isEarlier = found.reason === 'before_map' || found.reason === 'generation_changed';
    const { view, voids } = this.#newest.segments;
    // Where nothing lies before the newest the target may be another one too; a target that lost
    // records may have lost some of the life before.
    if (!isEarlier || view.isFirst || voids.size > 0) return found;
    const earlier = this.#before.forward(offset).offset;
    if (earlier === undefined) return found;
    return { offset: earlier, certainty: 'lower_bound', reason: 'generation_changed' };
  }

  inverse(offset: bigint): MapTranslation {
    return this.#newest.inverse(offset);
  }

  countBetween(from: bigint, to: bigint): number {
    return this.#newest.countBetween(from, to);
  }

  isInEarlierLife(targetOffset: bigint): boolean {
    return this.#newest.isInEarlierLife(targetOffset);
  }
}
