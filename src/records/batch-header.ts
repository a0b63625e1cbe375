/**
 * Where the fields of a record batch v2 are, and walking over the batches of a fetch. The format is
 * Kafka's "Record Batch": big-endian, 61 bytes before the records.
 */
import { assert } from '../base/assert.ts';

/** What looking at a batch costs, whatever is in it, in bytes of plain records. */
export const workPerBatch = 1024;

export const batchAt = {
  baseOffset: 0,
  batchLength: 8, // bytes after this field
  leaderEpoch: 12,
  magic: 16,
  crc: 17, // CRC-32C of everything from attributes on
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const;

/** Bytes before the field from which `batchLength` counts. */
export const lengthOverhead = 12;

export const attributeBits = {
  codec: 0b111,
  logAppendTime: 1 << 3,
  transactional: 1 << 4,
  control: 1 << 5,
  deleteHorizon: 1 << 6,
} as const;

/** Offsets are numbers on the hot path: none is ever near 2^53, and that is checked. */
export function readOffset(bytes: Buffer, at: number): number {
  assert(isOffset(bytes, at), 'offset below 2^53');
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

export function isOffset(bytes: Buffer, at: number): boolean {
  const high = bytes.readInt32BE(at);
  return high >= 0 && high < 2 ** 21;
}

/** A timestamp in ms; may be -1, and anything that a producer chose to write. */
export function readTimestamp(bytes: Buffer, at: number): number {
  return Number(bytes.readBigInt64BE(at));
}

/**
 * Places [from, to) of the complete batches; what is left at the end was cut off by the broker, and
 * comes again with the next fetch. Formats v0 and v1 have their length at the same place.
 */
export function* completeBatches(bytes: Buffer): Iterable<{ from: number; to: number }> {
  let from = 0;
  while (from + batchAt.attributes <= bytes.length) {
    const to = from + lengthOverhead + bytes.readInt32BE(from + batchAt.batchLength);
    if (to > bytes.length || to <= from) return;
    yield { from, to };
    from = to;
  }
}

/** What the records of a fetch take, each grown by so many bytes, roughly. */
export function estimate(records: Buffer, moreBytes: number): number {
  let bytes = 0;
  for (const { from, to } of completeBatches(records)) {
    const count = to - from > batchAt.records ? records.readInt32BE(from + batchAt.recordCount) : 0;
    bytes += to - from + Math.max(0, count) * moreBytes;
  }
  return bytes;
}
