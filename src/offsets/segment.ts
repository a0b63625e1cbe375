/**
 * A piece of an offset map: the runs of a stretch of source offsets, as one holder wrote them.
 * Columns are typed arrays, so that a million runs cost no more than their numbers.
 *
 * Invariants: runs ascend on both sides and do not overlap; every source offset in [from, to) is
 * in a run or will never be copied.
 */
import { assert } from '../base/assert.ts';
import type { Run } from './run.ts';

export class Segment {
  /** The holder's takeover number; 0: read back from the target's headers. */
  readonly takeover: number;
  readonly from: number;
  /** Nothing was copied before `from` in this generation. */
  readonly isFirst: boolean;
  #to: number;
  #count = 0;
  #sources: Float64Array;
  #targets: Float64Array;
  #lengths: Float64Array;

  constructor(options: { takeover: number; from: number; to: number; isFirst: boolean }) {
    this.takeover = options.takeover;
    this.from = options.from;
    this.isFirst = options.isFirst;
    this.#to = options.to;
    this.#sources = new Float64Array(4);
    this.#targets = new Float64Array(4);
    this.#lengths = new Float64Array(4);
  }

  get to(): number {
    return this.#to;
  }

  get count(): number {
    return this.#count;
  }

  run(index: number): Run | undefined {
    if (index < 0 || index >= this.#count) return undefined;
    return {
      sourceOffset: this.#sources[index] ?? 0,
      targetOffset: this.#targets[index] ?? 0,
      length: this.#lengths[index] ?? 0,
    };
  }

  append(run: Run): void {
    const last = this.run(this.#count - 1);
    if (last !== undefined) {
      const sourceEnd = last.sourceOffset + last.length;
      const targetEnd = last.targetOffset + last.length;
      const ascends = run.sourceOffset >= sourceEnd && run.targetOffset >= targetEnd;
      assert(ascends, 'runs ascend on both sides');
      if (run.sourceOffset === sourceEnd && run.targetOffset === targetEnd) {
        this.#lengths[this.#count - 1] = last.length + run.length;
        this.scannedTo(run.sourceOffset + run.length);
        return;
      }
    }
    assert(run.sourceOffset >= this.from && run.length > 0, 'a run lies in its segment');
    if (this.#count === this.#sources.length) this.#grow();
    this.#sources[this.#count] = run.sourceOffset;
    this.#targets[this.#count] = run.targetOffset;
    this.#lengths[this.#count] = run.length;
    this.#count += 1;
    this.scannedTo(run.sourceOffset + run.length);
  }

  scannedTo(sourceOffset: number): void {
    if (sourceOffset > this.#to) this.#to = sourceOffset;
  }

  /** Index of the last run that begins at or below the source offset; -1: none. */
  lastBySource(offset: number): number {
    return lastAtMost(this.#sources, this.#count, offset);
  }

  lastByTarget(offset: number): number {
    return lastAtMost(this.#targets, this.#count, offset);
  }

  #grow(): void {
    const wider = (column: Float64Array): Float64Array => {
      const grown = new Float64Array(column.length * 2);
      grown.set(column);
      return grown;
    };
    this.#sources = wider(this.#sources);
    this.#targets = wider(this.#targets);
    this.#lengths = wider(this.#lengths);
  }
}

function lastAtMost(column: Float64Array, count: number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((column[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
