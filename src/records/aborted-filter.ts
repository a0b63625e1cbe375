/**
 * Which batches of a fetch belong to aborted transactions. The broker lists all that overlap the
 * fetched range: a producer's transactional batches from `firstOffset` on are dropped until its
 * abort marker, which is itself a batch of the range. So nothing has to be remembered between
 * fetches.
 */
import type { SourceBatch } from './source-batch.ts';
import type { AbortedTransaction } from './stamped-batch.ts';
import { recordsOf } from './source-batch.ts';
import { RecordReader } from './record-reader.ts';
import { VarintCursor } from './varint.ts';

const abortMarker = 0;

export class AbortedFilter {
  readonly #waiting: AbortedTransaction[];
  readonly #open = new Set<bigint>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = [...aborted].sort((a, b) => Number(b.firstOffset - a.firstOffset));
  }

  /** True when the records of the batch were rolled back. To be asked of every batch, in order. */
  drops(batch: SourceBatch): boolean {
    for (let next = this.#waiting.at(-1); next !== undefined; next = this.#waiting.at(-1)) {
      if (next.firstOffset > BigInt(batch.lastOffset)) break;
      this.#open.add(next.producerId);
      this.#waiting.pop();
    }
    if (this.#open.size === 0 || !batch.isTransactional) return false;
    if (!batch.isControl) return this.#open.has(batch.producerId);
    if (markerType(batch) === abortMarker) this.#open.delete(batch.producerId);
    return false;
  }
}

/** The key of a marker: version int16, type int16 (0 abort, 1 commit). */
function markerType(batch: SourceBatch): number {
  const reader = new RecordReader(recordsOf(batch, 'marker'), 'marker');
  if (!reader.next()) return -1;
  const cursor = new VarintCursor();
  cursor.at = reader.keyAt;
  const key = reader.slice(cursor);
  return key === null || key.length < 4 ? -1 : key.readInt16BE(2);
}
