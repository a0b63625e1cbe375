/** One record batch of a fetch, its header read and its checksum proved. */
import { crc32c } from '@node-rs/crc32';
import { attributeBits, batchAt, isOffset, readOffset } from './batch-header.ts';
import { codecOf, decompress, type Codec } from './codecs.ts';
import { corrupt } from './corrupt.ts';
import { convertOldMessages } from './convert-v1.ts';

export interface SourceBatch {
  readonly baseOffset: number;
  /** Offset of the last place in the batch, held by a record or not. */
  readonly lastOffset: number;
  readonly codec: Codec;
  readonly isLogAppendTime: boolean;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly baseTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly producerId: bigint;
  readonly recordCount: number;
  /** The whole batch, records still compressed. */
  readonly bytes: Buffer;
}

/**
 * @param bytes one complete batch, or one message of the formats v0 and v1
 * @throws MeshError batch_corrupt, naming `where@offset`
 */
export function readBatch(bytes: Buffer, where: string): SourceBatch {
  const magic = bytes[batchAt.magic] ?? -1;
  if (!isOffset(bytes, batchAt.baseOffset)) {
    const found = bytes.readBigInt64BE(batchAt.baseOffset);
    throw corrupt(`${where}@${found}`, 'no broker gives such an offset');
  }
  if (magic === 0 || magic === 1) return readBatch(convertOldMessages(bytes, where), where);
  const baseOffset = readOffset(bytes, batchAt.baseOffset);
  const place = `${where}@${baseOffset}`;
  if (magic !== 2 || bytes.length < batchAt.records) {
    throw corrupt(place, `format ${magic} in ${bytes.length} bytes, wanted 0, 1 or 2`);
  }
  const wanted = bytes.readUInt32BE(batchAt.crc);
  const found = crc32c(bytes.subarray(batchAt.attributes));
  if (found !== wanted) throw corrupt(place, `checksum is ${found}, the batch says ${wanted}`);
  const attributes = bytes.readInt16BE(batchAt.attributes);
  const lastOffsetDelta = bytes.readInt32BE(batchAt.lastOffsetDelta);
  const recordCount = bytes.readInt32BE(batchAt.recordCount);
  if (lastOffsetDelta < 0 || recordCount < 0 || recordCount > lastOffsetDelta + 1) {
    throw corrupt(place, `${recordCount} records in ${lastOffsetDelta + 1} places`);
  }
  return {
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    codec: codecOf(attributes),
    isLogAppendTime: (attributes & attributeBits.logAppendTime) !== 0,
    isTransactional: (attributes & attributeBits.transactional) !== 0,
    isControl: (attributes & attributeBits.control) !== 0,
    baseTimestamp: bytes.readBigInt64BE(batchAt.baseTimestamp),
    maxTimestamp: bytes.readBigInt64BE(batchAt.maxTimestamp),
    producerId: bytes.readBigInt64BE(batchAt.producerId),
    recordCount,
    bytes,
  };
}

/**
 * Offsets are not under the checksum: a damaged one shows where it breaks their order. Nothing from
 * the first of the two on is given then, since going to a false place passes others over.
 * @param behind where the next batch of the fetch begins
 */
export function checkOrder(
  { baseOffset, lastOffset }: SourceBatch,
  records: Buffer,
  behind: number,
  where: string,
): void {
  if (behind + batchAt.batchLength > records.length || !isOffset(records, behind)) return;
  const next = readOffset(records, behind);
  if (next > lastOffset) return;
  const text = `holds offsets up to ${lastOffset}, the batch behind it begins at ${next}`;
  throw corrupt(`${where}@${baseOffset}`, text);
}

/** The records of the batch, decompressed: a view of `batch.bytes` when they were not. */
export function recordsOf(batch: SourceBatch, where: string): Buffer {
  try {
    return decompress(batch.codec, batch.bytes.subarray(batchAt.records));
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw corrupt(`${where}@${batch.baseOffset}`, text);
  }
}
