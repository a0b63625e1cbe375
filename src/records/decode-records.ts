/**
 * Raw batches as records: for state topics, and for tests that compare two logs. Not the hot
 * path.
 */
import { completeBatches } from './batch-header.ts';
import { RecordReader } from './record-reader.ts';
import { readBatch, recordsOf, type SourceBatch } from './source-batch.ts';
import { readBigLong, VarintCursor } from './varint.ts';

export interface DecodedRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly { readonly key: Buffer; readonly value: Buffer | null }[];
  readonly producerId: bigint;
  readonly isTransactional: boolean;
}

export interface DecodedBatch {
  readonly isControl: boolean;
  readonly isTransactional: boolean;
  readonly producerId: bigint;
  readonly lastOffset: number;
  readonly records: readonly DecodedRecord[];
}

/**
 * Every complete batch, also those of markers and those without records.
 * @throws MeshError batch_corrupt, naming `where@offset`
 */
export function* decodeBatches(records: Buffer, where: string): Iterable<DecodedBatch> {
  for (const { from, to } of completeBatches(records)) {
    const batch = readBatch(records.subarray(from, to), where);
    const { isControl, isTransactional, producerId, lastOffset } = batch;
    const reader = new RecordReader(recordsOf(batch, where), `${where}@${batch.baseOffset}`);
    const decoded: DecodedRecord[] = [];
    while (reader.next()) {
      const cursor = new VarintCursor();
      cursor.at = reader.keyAt;
      const key = reader.slice(cursor);
      const value = reader.slice(cursor);
      decoded.push({
        offset: batch.baseOffset + reader.offsetDelta,
        timestampMs: Number(timestampOf(batch, reader)),
        key,
        value,
        headers: [...reader.headers()],
        producerId,
        isTransactional,
      });
    }
    yield { isControl, isTransactional, producerId, lastOffset, records: decoded };
  }
}

/** Exact also where base and difference are far apart: not to be added as numbers. */
function timestampOf(batch: SourceBatch, reader: RecordReader): bigint {
  if (batch.isLogAppendTime) return batch.maxTimestamp;
  return batch.baseTimestamp + readBigLong(reader.bytes, reader.timestampAt);
}
