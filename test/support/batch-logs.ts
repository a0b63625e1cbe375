/**
 * Logs as a source may have them, made at random, and what comes of them: for tests of whatever
 * turns fetched batches into batches to be written.
 */
import assert from 'node:assert/strict';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { isMeshError } from '../../src/base/errors.ts';
import { attributeBits } from '../../src/records/batch-header.ts';
import { encodeBatch, type BuildOptions, type PlainRecord } from '../../src/records/build-batch.ts';
import type { Codec } from '../../src/records/codecs.ts';
import { decodeBatches, type DecodedRecord } from '../../src/records/decode-records.ts';
import { originKeyBytes } from '../../src/records/origin.ts';
import { sealBatch } from '../../src/records/seal.ts';
import type { StampResult } from '../../src/records/stamped-batch.ts';
import type { Stamper } from '../../src/records/stamper.ts';

const codec = fc.constantFrom<Codec>('none', 'gzip', 'snappy', 'lz4', 'zstd');
const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));
const record: fc.Arbitrary<PlainRecord> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestampMs: fc.oneof(
    fc.constant(-1),
    fc.constant(0),
    fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }),
    fc.constant(9_000_000_000_000),
  ),
  headers: fc.array(
    fc.record({
      key: fc.oneof(bytes, fc.constant(originKeyBytes)),
      value: fc.option(bytes),
    }),
    { maxLength: 4 },
  ),
});

export interface Placed {
  readonly batch: Buffer;
  readonly records: readonly { offset: number; record: PlainRecord }[];
  readonly isDropped: boolean;
}

/** Batches one behind the other, with holes in and between them. */
export const batchLogs: fc.Arbitrary<readonly Placed[]> = fc
  .array(
    fc.record({
      records: fc.array(fc.record({ record, gap: fc.integer({ min: 0, max: 3 }) }), {
        maxLength: 12,
      }),
      codec,
      gapBefore: fc.integer({ min: 0, max: 5 }),
      kind: fc.constantFrom('plain', 'plain', 'transactional', 'appendTime', 'control'),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => {
    let next = 0;
    return parts.map(({ records, codec, gapBefore, kind }): Placed => {
      const baseOffset = next + gapBefore;
      let place = -1;
      const places = records.map(({ gap }) => (place += gap + 1));
      next = baseOffset + Math.max(0, place) + 1;
      const options: BuildOptions = {
        codec,
        baseOffset,
        offsetDelta: (index) => places[index] ?? 0,
        attributes:
          kind === 'transactional'
            ? attributeBits.transactional
            : kind === 'appendTime'
              ? attributeBits.logAppendTime
              : kind === 'control'
                ? attributeBits.control | attributeBits.transactional
                : 0,
        producerId: 7n,
      };
      const plain = records.map((one) => one.record);
      const max = plain.reduce((found, { timestampMs }) => Math.max(found, timestampMs), -1);
      return {
        batch: encodeBatch(plain, options),
        records: plain.map((one, index) => ({
          offset: baseOffset + (places[index] ?? 0),
          record: kind === 'appendTime' ? { ...one, timestampMs: max } : one,
        })),
        isDropped: kind === 'control',
      };
    });
  });

/** What arrives, had these batches been appended to an empty log; seals them as the window does. */
export function landed(result: StampResult): DecodedRecord[] {
  let base = 0;
  return result.batches.flatMap((batch) => {
    sealBatch(batch.bytes, { producerId: 9n, producerEpoch: 1, baseSequence: base });
    batch.bytes.writeBigInt64BE(BigInt(base), 0);
    assert.equal(crc32c(batch.bytes.subarray(21)), batch.bytes.readUInt32BE(17));
    const decoded = [...decodeBatches(batch.bytes, 'target')].flatMap(({ records }) => records);
    assert.equal(decoded.length, batch.recordCount);
    assert.deepEqual(
      decoded.map(({ offset }) => offset),
      decoded.map((_, index) => base + index),
    );
    base += batch.recordCount;
    return decoded;
  });
}

export function sourceOffsets(result: StampResult): number[] {
  return result.batches.flatMap(({ runs, recordCount }) => {
    const offsets: number[] = [];
    for (const { sourceOffset, index, length } of runs) {
      assert.equal(index, offsets.length);
      for (let step = 0; step < length; step += 1) offsets.push(sourceOffset + step);
    }
    assert.equal(offsets.length, recordCount);
    return offsets;
  });
}

/** What is given of a fetch that holds damage: source offsets, position after it, where it is. */
export function untilDamage(
  one: Pick<Stamper, 'pieces'>,
  records: Buffer,
  position: number,
): [number[], number, string] {
  const offsets: number[] = [];
  let next = position;
  try {
    for (const piece of one.pieces(records, position, [], 1)) {
      offsets.push(...sourceOffsets(piece));
      next = piece.nextPosition;
      for (const batch of piece.batches) batch.release();
    }
  } catch (error) {
    assert.ok(isMeshError(error, 'batch_corrupt'), String(error));
    return [offsets, next, /orders\/3@-?\d+/.exec(error.message)?.[0] ?? error.message];
  }
  assert.fail('no damage was found');
}
