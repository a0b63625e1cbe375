/**
 * What leaves the record path for the target: one record batch, complete but for the producer's
 * fields, and the runs of source offsets that are in it.
 *
 * Offsets are numbers here: this is the hot path, and every offset is asserted to be below 2^53.
 */

/** Records of the batch whose source offsets step by one, as their places in the batch do. */
export interface StampedRun {
  readonly sourceOffset: number;
  /** Place of the run's first record in the batch, from 0. */
  readonly index: number;
  readonly length: number;
}

export interface StampedBatch {
  /** A whole record batch v2; base offset 0; producer fields and CRC are set by `seal`. */
  readonly bytes: Buffer;
  /** `bytes` are a part of what was fetched, and keep all of that. */
  readonly isInFetch?: boolean;
  /** Its CRC holds as long as nothing is changed; these attributes are still to be set. */
  readonly proved?: { readonly attributes: number };
  readonly recordCount: number;
  readonly runs: readonly StampedRun[];
  /** Every source offset below it, from the previous batch's on, is in here or is not copied. */
  readonly nextSourceOffset: number;
  /** Milliseconds; -1 when no record has a timestamp. */
  readonly maxTimestamp: number;
  /** Gives `bytes` back to the pool: after the acknowledgement, or when the batch is dropped. */
  release(): void;
}

/** Memory that this batch keeps, and nobody else. */
export function ownBytes({ bytes, isInFetch = false }: StampedBatch): number {
  return isInFetch ? 0 : bytes.length;
}

/** Records of one producer that are dropped from `firstOffset` on until its abort marker. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

export interface SkippedCounts {
  /** Transaction markers: offsets used by the broker, no record in them. */
  control: number;
  /** Records of aborted transactions. */
  aborted: number;
  /** Records dropped by the loop guard. */
  looped: number;
}

export interface StampResult {
  readonly batches: readonly StampedBatch[];
  /** Where to go on at the source: behind the last complete batch that was read. */
  readonly nextPosition: number;
  readonly skipped: SkippedCounts;
}
