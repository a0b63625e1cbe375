/**
 * The batch being written: records go into one pooled buffer behind a header that is filled in
 * last.
 *
 * The fields are open to the stamper's loop on purpose: it keeps them in locals while it writes.
 * Room is the stamper's business; this class opens, closes and compresses.
 */
import { assert } from '../base/assert.ts';
import type { BufferPool, PooledBuffer } from '../base/buffer-pool.ts';
import { batchAt, lengthOverhead } from './batch-header.ts';
import { codecBits, compressInParts, type Codec } from './codecs.ts';
import { MatchPacker, type BlockFormat } from './match-packer.ts';
import type { StampedBatch, StampedRun } from './stamped-batch.ts';

/** Bytes behind the limit that copying in words of four may touch. */
const slack = 8;

/** gzip takes 20 ms for a megabyte: longer than anything else should have to wait in one go. */
const gzipBytesMax = 384 * 1024;

/** How large a batch may be before it is packed, to be no larger than that when it is. */
export function plainBytesMax(codec: Codec, batchBytesMax: number): number {
  if (codec === 'none') return batchBytesMax;
  // What cannot be compressed comes out a little larger.
  const wanted = batchBytesMax - (batchBytesMax >> 6) - 1024;
  return codec === 'gzip' ? Math.min(wanted, gzipBytesMax) : wanted;
}

export interface RawTimes {
  readonly base: bigint;
  readonly max: bigint;
}

export interface BuilderOptions {
  readonly pool: BufferPool;
  readonly codec: Codec;
  readonly limit: number;
  readonly baseTimestamp: number;
  readonly raw: RawTimes | undefined;
  /** Given when what the source's matches say is to be used. */
  readonly format: BlockFormat | undefined;
}

export class BatchBuilder {
  readonly codec: Codec;
  readonly bytes: Buffer;
  readonly view: DataView;
  /** Records may be written up to here. */
  readonly limit: number;
  /** Place behind the last record. */
  at: number = batchAt.records;
  recordCount = 0;
  /** Times are sums of the base and a delta, in ms. */
  readonly baseTimestamp: number;
  maxTimestamp = Number.NEGATIVE_INFINITY;
  /** Set when times are too far from 1970 to be added: base and deltas are the source's own. */
  readonly raw: RawTimes | undefined;
  readonly runs: { sourceOffset: number; index: number; length: number }[] = [];
  nextSourceOffset = 0;
  readonly packer: MatchPacker | undefined;
  readonly #pool: BufferPool;
  readonly #pooled: PooledBuffer;

  constructor(options: BuilderOptions) {
    this.codec = options.codec;
    this.limit = options.limit;
    this.baseTimestamp = options.baseTimestamp;
    this.raw = options.raw;
    this.#pool = options.pool;
    this.#pooled = options.pool.take(options.limit + slack);
    this.bytes = this.#pooled.bytes;
    const { buffer, byteOffset, length } = this.bytes;
    this.view = new DataView(buffer, byteOffset, length);
    const { format, pool, limit } = options;
    this.packer = format && new MatchPacker(format, pool, this, batchAt.records, limit);
  }

  /** The record just written came from that source offset. */
  count(sourceOffset: number): void {
    const run = this.runs[this.runs.length - 1];
    if (run !== undefined && sourceOffset === this.nextSourceOffset) run.length += 1;
    else this.runs.push({ sourceOffset, index: this.recordCount, length: 1 });
    this.recordCount += 1;
    this.nextSourceOffset = sourceOffset + 1;
  }

  /** Gives the memory back, nothing having been made of it. */
  drop(): void {
    this.packer?.drop();
    this.#pooled.release();
  }

  close(): StampedBatch {
    assert(this.recordCount > 0, 'a batch holds records');
    const { bytes, release } = this.codec === 'none' ? this.#plain() : this.#packed();
    this.#writeHeader(bytes);
    const runs: readonly StampedRun[] = this.runs;
    return {
      bytes,
      recordCount: this.recordCount,
      runs,
      nextSourceOffset: this.nextSourceOffset,
      maxTimestamp: this.raw === undefined ? this.maxTimestamp : Number(this.raw.max),
      release,
    };
  }

  #plain(): { bytes: Buffer; release: () => void } {
    const bytes = this.bytes.subarray(0, this.at);
    return { bytes, release: () => this.#pooled.release() };
  }

  #packed(): { bytes: Buffer; release: () => void } {
    const parts =
      this.packer === undefined
        ? compressInParts(this.codec, this.bytes.subarray(batchAt.records, this.at))
        : [this.packer.close(this.at)];
    const length = parts.reduce<number>((sum, part) => sum + part.length, batchAt.records);
    const pooled = this.#pool.take(length);
    let at: number = batchAt.records;
    for (const part of parts) at += part.copy(pooled.bytes, at);
    this.drop();
    return { bytes: pooled.bytes.subarray(0, length), release: () => pooled.release() };
  }

  #writeHeader(bytes: Buffer): void {
    bytes.fill(0, 0, batchAt.records);
    bytes.writeInt32BE(bytes.length - lengthOverhead, batchAt.batchLength);
    bytes.writeInt32BE(-1, batchAt.leaderEpoch);
    bytes[batchAt.magic] = 2;
    bytes.writeInt16BE(codecBits(this.codec), batchAt.attributes);
    bytes.writeInt32BE(this.recordCount - 1, batchAt.lastOffsetDelta);
    const { base, max } = this.raw ?? {
      base: BigInt(this.baseTimestamp),
      max: BigInt(this.maxTimestamp),
    };
    bytes.writeBigInt64BE(base, batchAt.baseTimestamp);
    bytes.writeBigInt64BE(max, batchAt.maxTimestamp);
    bytes.writeBigInt64BE(-1n, batchAt.producerId);
    bytes.writeInt16BE(-1, batchAt.producerEpoch);
    bytes.writeInt32BE(-1, batchAt.baseSequence);
    bytes.writeInt32BE(this.recordCount, batchAt.recordCount);
  }
}
