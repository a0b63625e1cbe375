import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { BufferPool } from '../../../src/base/buffer-pool.ts';
import { isMeshError } from '../../../src/base/errors.ts';
import { SharedMemory } from '../../../src/base/shared-memory.ts';
import { attributeBits, batchAt } from '../../../src/records/batch-header.ts';
import {
  encodeBatch,
  type BuildOptions,
  type PlainRecord,
} from '../../../src/records/build-batch.ts';
import type { Codec } from '../../../src/records/codecs.ts';
import { originKeyBytes } from '../../../src/records/origin.ts';
import { Passer, type PasserOptions } from '../../../src/records/passer.ts';
import { resealBatch } from '../../../src/records/seal.ts';
import type {
  AbortedTransaction,
  SkippedCounts,
  StampResult,
} from '../../../src/records/stamped-batch.ts';
import {
  batchLogs,
  landed,
  sourceOffsets,
  untilDamage,
  type Placed,
} from '../../support/batch-logs.ts';

const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

function passer(options: Partial<PasserOptions> = {}): Passer {
  const place = { topic: 'orders', partition: 3 };
  return new Passer({ ...place, batchBytesMax: 64 * 1024, pool: new BufferPool(), ...options });
}

/** All pieces together. */
function passed(
  one: Passer,
  records: Buffer,
  position: number,
  aborted: readonly AbortedTransaction[] = [],
  pieceBytes = Infinity,
): StampResult {
  const batches: StampResult['batches'][number][] = [];
  const skipped: SkippedCounts = { control: 0, aborted: 0, looped: 0 };
  let nextPosition = position;
  for (const piece of one.pieces(records, position, aborted, pieceBytes)) {
    batches.push(...piece.batches);
    skipped.control += piece.skipped.control;
    skipped.aborted += piece.skipped.aborted;
    assert.ok(piece.nextPosition >= nextPosition);
    nextPosition = piece.nextPosition;
    const next = piece.batches.at(-1)?.nextSourceOffset ?? nextPosition;
    assert.ok(next <= nextPosition, 'what is given is below where it is gone on');
  }
  return { batches, nextPosition, skipped };
}

function joined(placed: readonly Placed[]): Buffer {
  return Buffer.concat(placed.map(({ batch }) => batch));
}

function values(...texts: string[]): PlainRecord[] {
  return texts.map((text) => ({ key: null, value: Buffer.from(text), timestampMs: 1_000 }));
}

describe('Passer', () => {
  test('every record arrives as it was, headers too, whatever the batches', () => {
    fc.assert(
      fc.property(
        batchLogs,
        fc.integer({ min: 0, max: 30 }),
        fc.constantFrom(600, 4_000, 64 * 1024),
        fc.constantFrom(1, Infinity),
        (placed, position, batchBytesMax, pieceBytes) => {
          const pool = new BufferPool();
          const one = passer({ batchBytesMax, pool });
          const result = passed(one, joined(placed), position, [], pieceBytes);
          const expected = placed
            .filter(({ isDropped }) => !isDropped)
            .flatMap((some) => some.records)
            .filter(({ offset }) => offset >= position);
          assert.deepEqual(
            landed(result).map(({ key, value, timestampMs, headers }) => ({
              key,
              value,
              timestampMs,
              headers,
            })),
            expected.map(({ record: { key, value, timestampMs, headers = [] } }) => ({
              key,
              value,
              timestampMs,
              headers: headers.map((header) => ({ ...header })),
            })),
          );
          assert.deepEqual(
            sourceOffsets(result),
            expected.map(({ offset }) => offset),
          );
          for (const batch of result.batches) {
            const { bytes, recordCount, maxTimestamp } = batch;
            assert.ok(bytes.length <= batchBytesMax || recordCount === 1);
            assert.equal(Number(bytes.readBigInt64BE(batchAt.maxTimestamp)), maxTimestamp);
            batch.release();
          }
          assert.equal(pool.outBytes, 0);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('a fetch cut off at any byte loses nothing: the rest comes with the next one', () => {
    fc.assert(
      fc.property(batchLogs, fc.nat(), (placed, cut) => {
        const records = joined(placed);
        const one = passer();
        const first = passed(one, records.subarray(0, cut % (records.length + 1)), 0);
        const second = passed(one, records, first.nextPosition);
        const whole = passed(passer(), records, 0);
        assert.deepEqual([...sourceOffsets(first), ...sourceOffsets(second)], sourceOffsets(whole));
      }),
      { numRuns: 200 },
    );
  });

  test('a whole batch keeps its very bytes, compressed as they are; its header is made ours', () => {
    for (const codec of codecs) {
      const records = values(...Array.from({ length: 40 }, (_, index) => `value ${index}`));
      const { transactional } = attributeBits;
      const options = { codec, baseOffset: 70, attributes: transactional, producerId: 5n };
      const source = encodeBatch(records, { ...options, producerEpoch: 3, baseSequence: 900 });
      source.writeInt32BE(12, batchAt.leaderEpoch);
      const [batch, ...more] = passed(passer(), source, 70).batches;
      assert.ok(batch?.proved !== undefined && more.length === 0);
      const producer = { producerId: 9n, producerEpoch: 1, baseSequence: 4 };
      // The checksum too, although it is not made over the records again.
      resealBatch(batch.bytes, producer, batch.proved.attributes);
      const wanted = encodeBatch(records, { codec, ...producer });
      assert.deepEqual(batch.bytes, wanted, codec);
      assert.deepEqual(batch.bytes.subarray(61), source.subarray(61), codec);
      assert.deepEqual(batch.runs, [{ sourceOffset: 70, index: 0, length: 40 }]);
    }
  });

  test('what stands stays in the memory of its fetch, which is kept until all of it is let go', () => {
    const first = encodeBatch(values('a', 'b'), {});
    const opened = encodeBatch(values('c'), {
      baseOffset: 2,
      attributes: attributeBits.logAppendTime,
    });
    const last = encodeBatch(values('d'), { baseOffset: 3 });
    const fetched = Buffer.concat([first, opened, last]);
    const pool = new BufferPool();
    let isGivenBack = false;
    const memory = new SharedMemory(() => (isGivenBack = true));
    const release = memory.hold();
    const pieces = [...passer({ pool }).pieces(fetched, 0, [], Infinity, () => memory.hold())];
    release();
    const batches = pieces.flatMap((piece) => piece.batches);
    assert.deepEqual(
      batches.map(({ bytes }) => bytes.buffer === fetched.buffer),
      [true, false, true],
    );
    assert.deepEqual(
      landed({ ...pieces[0]!, batches }).map(({ value }) => String(value)),
      ['a', 'b', 'c', 'd'],
    );
    for (const batch of batches) {
      assert.equal(isGivenBack, false);
      batch.release();
    }
    assert.equal(isGivenBack, true);
    assert.equal(pool.outBytes, 0);
  });

  test('what cannot stand as it is, and only that, is opened and written anew', () => {
    const whole = values('a', 'b', 'c');
    const horizon = encodeBatch(whole, { attributes: attributeBits.deleteHorizon });
    const cases: [string, Buffer, number, string[]][] = [
      [
        'times of the broker',
        encodeBatch(whole, { attributes: attributeBits.logAppendTime }),
        0,
        ['a', 'b', 'c'],
      ],
      ['a delete horizon', horizon, 0, ['a', 'b', 'c']],
      [
        'a place without a record',
        encodeBatch(whole, { offsetDelta: (index) => index * 2 }),
        0,
        ['a', 'b', 'c'],
      ],
      ['records before the position', encodeBatch(whole), 1, ['b', 'c']],
      ['a batch without a record', encodeBatch([]), 0, []],
    ];
    for (const [what, batch, position, wanted] of cases) {
      const result = passed(passer(), batch, position);
      assert.deepEqual(
        landed(result).map(({ value }) => String(value)),
        wanted,
        what,
      );
      for (const { bytes } of result.batches) {
        assert.equal(bytes.readInt16BE(batchAt.attributes), 0, what);
        assert.equal(bytes.readInt32BE(batchAt.lastOffsetDelta), wanted.length - 1, what);
      }
    }
  });

  test('batches are never merged, opened ones neither', () => {
    const holes: BuildOptions = { offsetDelta: (index) => index * 2 };
    const records = Buffer.concat([
      encodeBatch(values('a', 'b'), { baseOffset: 0 }),
      encodeBatch(values('c', 'd'), { baseOffset: 2, ...holes }),
      encodeBatch(values('e', 'f'), { baseOffset: 5, ...holes }),
      encodeBatch(values('g'), { baseOffset: 8 }),
    ]);
    const { batches } = passed(passer(), records, 0);
    assert.deepEqual(
      batches.map(({ recordCount }) => recordCount),
      [2, 2, 2, 1],
    );
  });

  test('a batch that is larger than the target takes is divided', () => {
    const records = values(...Array.from({ length: 50 }, (_, index) => `${index}`.repeat(50)));
    const result = passed(passer({ batchBytesMax: 1_500 }), encodeBatch(records), 0);
    assert.ok(result.batches.length > 1);
    assert.equal(landed(result).length, 50);
    assert.ok(result.batches.every(({ bytes }) => bytes.length <= 1_500));
  });

  test('stamps that came with a record are its own: they stay, and none is added', () => {
    const headers = [{ key: originKeyBytes, value: Buffer.from('west/orders/3@7') }];
    const record = { key: null, value: null, timestampMs: 1, headers };
    for (const offsetDelta of [(index: number) => index, (index: number) => 2 * index]) {
      const [found] = landed(passed(passer(), encodeBatch([record, record], { offsetDelta }), 0));
      assert.deepEqual(
        found?.headers.map(({ value }) => String(value)),
        ['west/orders/3@7'],
      );
    }
  });

  test('batches of aborted transactions are dropped whole until the marker, others are not', () => {
    const { transactional } = attributeBits;
    const control = transactional | attributeBits.control;
    const marker = (type: number): PlainRecord[] => [
      { key: Buffer.from([0, 0, 0, type]), value: Buffer.alloc(6), timestampMs: 5 },
    ];
    const parts: [PlainRecord[], BuildOptions][] = [
      [values('aborted'), { attributes: transactional, producerId: 1n }],
      [values('other'), { attributes: transactional, producerId: 2n }],
      [values('not transactional'), { producerId: 1n }],
      [marker(0), { attributes: control, producerId: 1n }],
      [values('committed later'), { attributes: transactional, producerId: 1n }],
      [marker(1), { attributes: control, producerId: 1n }],
    ];
    const records = Buffer.concat(
      parts.map(([list, options], index) => encodeBatch(list, { ...options, baseOffset: index })),
    );
    const result = passed(passer(), records, 0, [{ producerId: 1n, firstOffset: 0n }]);
    assert.deepEqual(
      landed(result).map(({ value }) => String(value)),
      ['other', 'not transactional', 'committed later'],
    );
    assert.deepEqual(result.skipped, { control: 2, aborted: 1, looped: 0 });
    assert.equal(result.nextPosition, 6);
  });

  test('what stands before damage is given, and damage is named: bytes, offsets, records', () => {
    const good = encodeBatch(values('good', 'too'), { codec: 'lz4' });
    const bad = encodeBatch(values('bad'), { baseOffset: 2 });
    bad[bad.length - 2] = (bad[bad.length - 2] ?? 0) ^ 1;
    const far = Buffer.concat([
      encodeBatch(values('far'), { baseOffset: 1_000 }),
      encodeBatch(values('next'), { baseOffset: 3 }),
    ]);
    const inside = encodeBatch(values('a', 'b'), { baseOffset: 2 });
    inside.writeInt32BE(1, batchAt.recordCount);
    inside.writeInt32BE(2, batchAt.lastOffsetDelta);
    inside.writeUInt32BE(crc32c(inside.subarray(batchAt.attributes)), batchAt.crc);
    for (const [damage, at] of [
      [bad, 2],
      [far, 1_000],
      [inside, 2],
    ] as const) {
      const pool = new BufferPool();
      const found = untilDamage(passer({ pool }), Buffer.concat([good, damage]), 0);
      assert.deepEqual(found, [[0, 1], 2, `orders/3@${at}`]);
      assert.equal(pool.outBytes, 0);
    }
  });

  test('thousands of small batches do not make one long piece', () => {
    const count = 4_000;
    const records = Buffer.concat(
      Array.from({ length: count }, (_, baseOffset) => encodeBatch(values('v'), { baseOffset })),
    );
    const pieces = [...passer().pieces(records, 0, [], 1024 * 1024)];
    assert.ok(pieces.length > 3, String(pieces.length));
    assert.equal(pieces.at(-1)?.nextPosition, count);
    for (const piece of pieces) for (const batch of piece.batches) batch.release();
  });

  test('any bytes with a right checksum give batches or batch_corrupt, never anything else', () => {
    const hits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 6 });
    fc.assert(
      fc.property(batchLogs, hits, (placed, changes) => {
        const records = joined(placed);
        for (const [at, value] of changes) records[at % records.length] = value;
        for (let at = 0; at + 61 <= records.length;) {
          const size = 12 + records.readInt32BE(at + batchAt.batchLength);
          if (size < 61 || at + size > records.length) break;
          records[at + batchAt.magic] = 2;
          const sum = crc32c(records.subarray(at + batchAt.attributes, at + size));
          records.writeUInt32BE(sum, at + batchAt.crc);
          at += size;
        }
        const pool = new BufferPool();
        try {
          for (const piece of passer({ pool }).pieces(records, 0, [], 1)) {
            for (const batch of piece.batches) batch.release();
          }
        } catch (error) {
          assert.ok(isMeshError(error, 'batch_corrupt'), String(error));
        }
        assert.equal(pool.outBytes, 0);
      }),
      { numRuns: 300 },
    );
  });
});
