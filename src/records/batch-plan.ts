/** What holds for all records of one source batch when they are written to a new one. */
import type { RawTimes } from './batch-builder.ts';
import type { Codec } from './codecs.ts';
import type { BlockFormat } from './match-packer.ts';
import type { SourceBatch } from './source-batch.ts';

/** Beyond this many ms from 1970 sums of times are not exact: such batches keep their deltas. */
const safeTimestamp = 2n ** 51n;
export const safeDelta = 2 ** 51;

export interface BatchPlan {
  readonly baseOffset: number;
  /** Of the new batch. */
  readonly codec: Codec;
  readonly base: number;
  readonly isSafe: boolean;
  readonly isLogAppendTime: boolean;
  readonly raw: RawTimes;
  /** How its matches are carried over; undefined when they are not. */
  readonly format: BlockFormat | undefined;
}

export function planOf(
  batch: SourceBatch,
  codec: Codec,
  format: BlockFormat | undefined,
): BatchPlan {
  const base = batch.isLogAppendTime ? batch.maxTimestamp : batch.baseTimestamp;
  return {
    baseOffset: batch.baseOffset,
    codec,
    format,
    base: Number(base),
    isSafe: isSafeTime(base) && isSafeTime(batch.maxTimestamp),
    isLogAppendTime: batch.isLogAppendTime,
    raw: { base, max: batch.maxTimestamp },
  };
}

function isSafeTime(time: bigint): boolean {
  return time < safeTimestamp && time > -safeTimestamp;
}
