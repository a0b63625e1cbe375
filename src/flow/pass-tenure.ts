/**
 * What is stored of one tenure in the pass lane: from the sequences of a batch that it wrote to the
 * source offsets of the batch's records.
 *
 * Windows are forgotten from the oldest on. Should one be missing in between, those before it are
 * not used: their last run would seem to go on through what the missing one says.
 */
import type { PassRun, PassWindow } from './pass-form.ts';
import type { Producer } from './send-window.ts';
import type { StampedRun } from '../records/stamped-batch.ts';

export interface PassedBatch {
  readonly generation: number;
  readonly runs: readonly StampedRun[];
}

export const sequenceModulus = 2 ** 31;
/**
 * A run begins anew, without a hole, after so many records at the latest: so the last run stored
 * tells how often the sequences of the log's last batches have begun again.
 */
export const runRecordsMax = 2 ** 29;

export class PassTenure {
  readonly producer: Producer;
  readonly #windows = new Map<number, PassWindow>();
  #usable: { readonly generation: number; readonly runs: readonly PassRun[] } | undefined;

  constructor(producer: Producer) {
    this.producer = producer;
  }

  get isEmpty(): boolean {
    return this.#windows.size === 0;
  }

  numbers(): number[] {
    return [...this.#windows.keys()];
  }

  put(number: number, window: PassWindow): void {
    this.#windows.set(number, window);
    this.#usable = undefined;
  }

  remove(number: number): void {
    this.#windows.delete(number);
    this.#usable = undefined;
  }

  find(batch: {
    readonly baseSequence: number;
    readonly recordCount: number;
  }): PassedBatch | undefined {
    this.#usable ??= usable(this.#windows);
    const { generation, runs } = this.#usable;
    const last = runs.at(-1);
    if (last === undefined) return undefined;
    const from = unwrapped(batch.baseSequence, last.sequence + runRecordsMax);
    const to = from + batch.recordCount;
    const found: StampedRun[] = [];
    for (let at = lastRunAt(runs, from); from < to; at += 1) {
      const run = runs[at];
      if (run === undefined) break;
      const begin = Math.max(from, run.sequence);
      const end = Math.min(to, runs[at + 1]?.sequence ?? Infinity);
      if (begin >= end) break;
      const sourceOffset = run.sourceOffset + begin - run.sequence;
      found.push({ sourceOffset, index: begin - from, length: end - begin });
    }
    return found[0]?.index === 0 ? { generation, runs: found } : undefined;
  }
}

function usable(windows: ReadonlyMap<number, PassWindow>): {
  generation: number;
  runs: readonly PassRun[];
} {
  const newestFirst: PassRun[] = [];
  let generation = 0;
  const last = Math.max(...windows.keys());
  for (let number = last; number >= 0; number -= 1) {
    const window = windows.get(number);
    if (window === undefined) break;
    generation = window.generation;
    newestFirst.push(...window.runs.toReversed());
  }
  return { generation, runs: newestFirst.reverse() };
}

/** The number nearest below `limit` that is the sequence but for whole turns of it. */
function unwrapped(sequence: number, limit: number): number {
  return sequence + Math.floor((limit - sequence) / sequenceModulus) * sequenceModulus;
}

/** Index of the last run that begins at or below the sequence; -1: none. */
function lastRunAt(runs: readonly PassRun[], sequence: number): number {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((runs[middle]?.sequence ?? Infinity) <= sequence) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
