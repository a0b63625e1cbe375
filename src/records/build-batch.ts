/**
 * Builds a record batch from records: for state topics, conversions and tests; not the hot path.
 */
import { batchAt, lengthOverhead } from './batch-header.ts';
import { codecBits, compress, type Codec } from './codecs.ts';
import { sealBatch } from './seal.ts';
import { intLength, longLength, writeInt, writeLong } from './varint.ts';

export interface PlainHeader {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

export interface PlainRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestampMs: number;
  readonly headers?: readonly PlainHeader[];
}

export interface BuildOptions {
  readonly codec?: Codec;
  readonly baseOffset?: number;
  /** Place of a record by its index; counts up unless told. */
  readonly offsetDelta?: (index: number) => number;
  /** Further bits of the attributes field. */
  readonly attributes?: number;
  readonly producerId?: bigint;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
}

/** A complete batch with its checksum; of no producer unless one is given. */
export function encodeBatch(records: readonly PlainRecord[], options: BuildOptions = {}): Buffer {
  const { codec = 'none', offsetDelta = (index: number) => index } = options;
  const base = records[0]?.timestampMs ?? -1;
  const body = Buffer.concat(
    records.map((record, index) => encodeRecord(record, base, offsetDelta(index))),
  );
  const packed = compress(codec, body);
  const header = Buffer.alloc(batchAt.records);
  header.writeBigInt64BE(BigInt(options.baseOffset ?? 0), batchAt.baseOffset);
  header.writeInt32BE(header.length + packed.length - lengthOverhead, batchAt.batchLength);
  header.writeInt32BE(-1, batchAt.leaderEpoch);
  header[batchAt.magic] = 2;
  header.writeInt16BE(codecBits(codec) | (options.attributes ?? 0), batchAt.attributes);
  const last = records.length === 0 ? 0 : offsetDelta(records.length - 1);
  header.writeInt32BE(last, batchAt.lastOffsetDelta);
  header.writeBigInt64BE(BigInt(base), batchAt.baseTimestamp);
  const max = records.reduce((found, { timestampMs }) => Math.max(found, timestampMs), -1);
  header.writeBigInt64BE(BigInt(max), batchAt.maxTimestamp);
  header.writeInt32BE(records.length, batchAt.recordCount);
  const batch = Buffer.concat([header, packed]);
  sealBatch(batch, {
    producerId: options.producerId ?? -1n,
    producerEpoch: options.producerEpoch ?? -1,
    baseSequence: options.baseSequence ?? -1,
  });
  return batch;
}

function encodeRecord(record: PlainRecord, base: number, offsetDelta: number): Buffer {
  const { key, value, headers = [] } = record;
  const delta = record.timestampMs - base;
  let length = 1 + longLength(delta) + intLength(offsetDelta) + partLength(key) + partLength(value);
  length += intLength(headers.length);
  for (const header of headers) length += partLength(header.key) + partLength(header.value);
  const bytes = Buffer.alloc(intLength(length) + length);
  let at = writeInt(bytes, 0, length) + 1;
  at = writeLong(bytes, at, delta);
  at = writeInt(bytes, at, offsetDelta);
  at = writePart(bytes, at, key);
  at = writePart(bytes, at, value);
  at = writeInt(bytes, at, headers.length);
  for (const header of headers)
    at = writePart(bytes, writePart(bytes, at, header.key), header.value);
  return bytes;
}

function partLength(part: Buffer | null): number {
  return part === null ? 1 : intLength(part.length) + part.length;
}

function writePart(bytes: Buffer, at: number, part: Buffer | null): number {
  if (part === null) return writeInt(bytes, at, -1);
  const from = writeInt(bytes, at, part.length);
  return from + part.copy(bytes, from);
}
