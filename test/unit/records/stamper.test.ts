import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { BufferPool } from '../../../src/base/buffer-pool.ts';
import { isMeshError } from '../../../src/base/errors.ts';
import { attributeBits } from '../../../src/records/batch-header.ts';
import {
  encodeBatch,
  type BuildOptions,
  type PlainRecord,
} from '../../../src/records/build-batch.ts';
import { originKeyBytes } from '../../../src/records/origin.ts';
import { scanOrigins } from '../../../src/records/scan-origins.ts';
import { sealBatch } from '../../../src/records/seal.ts';
import { Stamper, type StamperOptions } from '../../../src/records/stamper.ts';
import { batchLogs, landed, sourceOffsets, untilDamage } from '../../support/batch-logs.ts';

function stamper(options: Partial<StamperOptions> = {}): Stamper {
  return new Stamper({
    site: 'east',
    topic: 'orders',
    partition: 3,
    generation: 1,
    batchBytesMax: 64 * 1024,
    codec: 'source',
    pool: new BufferPool(),
    ...options,
  });
}

function batchAtOffset(baseOffset: number): Buffer {
  return encodeBatch([{ key: null, value: Buffer.from('v'), timestampMs: 1 }], { baseOffset });
}

function stampOf(offset: number): { key: Buffer; value: Buffer } {
  return { key: originKeyBytes, value: Buffer.from(`east/orders/3@${offset}`) };
}

describe('Stamper', () => {
  test('every record arrives unchanged but for one header more, whatever the batches', () => {
    fc.assert(
      fc.property(
        batchLogs,
        fc.integer({ min: 0, max: 30 }),
        fc.constantFrom(600, 4_000, 64 * 1024),
        fc.constantFrom<StamperOptions['codec']>('source', 'none', 'lz4'),
        (placed, position, batchBytesMax, codec) => {
          const records = Buffer.concat(placed.map(({ batch }) => batch));
          const result = stamper({ batchBytesMax, codec }).stamp(records, position, []);
          const expected = placed
            .filter(({ isDropped }) => !isDropped)
            .flatMap((one) => one.records)
            .filter(({ offset }) => offset >= position);
          const found = landed(result);
          assert.deepEqual(
            found.map(({ key, value, timestampMs, headers }) => ({
              key,
              value,
              timestampMs,
              headers,
            })),
            expected.map(({ offset, record }) => ({
              key: record.key,
              value: record.value,
              timestampMs: record.timestampMs,
              headers: [...(record.headers ?? []).map((one) => ({ ...one })), stampOf(offset)],
            })),
          );
          assert.deepEqual(
            sourceOffsets(result),
            expected.map(({ offset }) => offset),
          );
          for (const { bytes, recordCount, maxTimestamp } of result.batches) {
            assert.ok(bytes.length <= batchBytesMax || recordCount === 1);
            assert.equal(Number(bytes.readBigInt64BE(35)), maxTimestamp);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  test('a fetch cut off at any byte loses nothing: the rest comes with the next one', () => {
    fc.assert(
      fc.property(batchLogs, fc.nat(), (placed, cut) => {
        const records = Buffer.concat(placed.map(({ batch }) => batch));
        const one = stamper();
        const first = one.stamp(records.subarray(0, cut % (records.length + 1)), 0, []);
        const offsets = sourceOffsets(first);
        const second = one.stamp(records, first.nextPosition, []);
        const whole = stamper().stamp(records, 0, []);
        assert.deepEqual([...offsets, ...sourceOffsets(second)], sourceOffsets(whole));
      }),
      { numRuns: 200 },
    );
  });

  test('the stamps are read back as the runs that were written', () => {
    fc.assert(
      fc.property(batchLogs, (placed) => {
        const result = stamper().stamp(Buffer.concat(placed.map(({ batch }) => batch)), 0, []);
        landed(result);
        const log = Buffer.concat(result.batches.map(({ bytes }) => bytes));
        const read = [...scanOrigins(log, 0)].flatMap(({ origin, length }) =>
          Array.from({ length }, (_, step) => (origin?.offset ?? -1) + step),
        );
        assert.deepEqual(read, sourceOffsets(result));
      }),
      { numRuns: 200 },
    );
  });

  test('records of aborted transactions are dropped until the marker, others are not', () => {
    const plain = (text: string): PlainRecord[] => [
      { key: null, value: Buffer.from(text), timestampMs: 5 },
    ];
    const transactional = attributeBits.transactional;
    const marker = (type: number): PlainRecord[] => [
      { key: Buffer.from([0, 0, 0, type]), value: Buffer.alloc(6), timestampMs: 5 },
    ];
    const control = transactional | attributeBits.control;
    const parts: [PlainRecord[], BuildOptions][] = [
      [plain('aborted'), { attributes: transactional, producerId: 1n }],
      [plain('other'), { attributes: transactional, producerId: 2n }],
      [plain('not transactional'), { producerId: 1n }],
      [marker(0), { attributes: control, producerId: 1n }],
      [plain('committed later'), { attributes: transactional, producerId: 1n }],
      [marker(1), { attributes: control, producerId: 1n }],
      [plain('aborted again'), { attributes: transactional, producerId: 1n }],
      [marker(0), { attributes: control, producerId: 1n }],
    ];
    const records = Buffer.concat(
      parts.map(([list, options], index) => encodeBatch(list, { ...options, baseOffset: index })),
    );
    const aborted = [
      { producerId: 1n, firstOffset: 6n },
      { producerId: 1n, firstOffset: 0n },
    ];
    const result = stamper().stamp(records, 0, aborted);
    assert.deepEqual(
      landed(result).map(({ value }) => String(value)),
      ['other', 'not transactional', 'committed later'],
    );
    assert.deepEqual(result.skipped, { control: 3, aborted: 2, looped: 0 });
    assert.equal(result.nextPosition, 8);
  });

  test('times too far from 1970 to be added are carried as they were written', () => {
    const batch = encodeBatch([{ key: null, value: null, timestampMs: 1 }], {});
    batch.writeBigInt64BE(2n ** 62n, 27);
    batch.writeBigInt64BE(2n ** 62n, 35);
    sealBatch(batch, { producerId: -1n, producerEpoch: -1, baseSequence: -1 });
    const near = encodeBatch([{ key: null, value: null, timestampMs: 7 }], { baseOffset: 1 });
    const result = stamper().stamp(Buffer.concat([batch, near]), 0, []);
    assert.deepEqual(
      result.batches.map(({ bytes }) => bytes.readBigInt64BE(27)),
      [2n ** 62n, 7n],
    );
  });

  test('a damaged batch is an error that names topic, partition and offset, and nothing is kept', () => {
    const pool = new BufferPool();
    const good = encodeBatch([{ key: null, value: Buffer.from('good'), timestampMs: 1 }], {});
    const bad = encodeBatch([{ key: null, value: Buffer.from('bad'), timestampMs: 1 }], {
      baseOffset: 1,
    });
    bad[bad.length - 2] = (bad[bad.length - 2] ?? 0) ^ 1;
    assert.throws(
      () => stamper({ pool }).stamp(Buffer.concat([good, bad]), 0, []),
      (error) => isMeshError(error, 'batch_corrupt') && error.message.includes('orders/3@1'),
    );
    assert.equal(pool.outBytes, 0);
  });

  test('what stands before a damaged batch is given, whatever else the fetch held', () => {
    const records = Array.from({ length: 3 }, (_, index) => ({
      key: null,
      value: Buffer.from(`v${index}`),
      timestampMs: 1,
    }));
    const bad = encodeBatch(records, { baseOffset: 6 });
    bad[bad.length - 1] = (bad[bad.length - 1] ?? 0) ^ 1;
    const fetch = Buffer.concat([
      encodeBatch(records, { baseOffset: 0, codec: 'lz4' }),
      encodeBatch(records, { baseOffset: 3 }),
      bad,
    ]);
    for (const pieceBytes of [1, Infinity]) {
      const pool = new BufferPool();
      let next = 0;
      let copied = 0;
      assert.throws(
        () => {
          for (const piece of stamper({ pool }).pieces(fetch, 0, [], pieceBytes)) {
            next = piece.nextPosition;
            for (const batch of piece.batches) {
              copied += batch.recordCount;
              batch.release();
            }
          }
        },
        (error) => isMeshError(error, 'batch_corrupt') && error.message.includes('@6'),
      );
      assert.deepEqual({ next, copied, out: pool.outBytes }, { next: 6, copied: 6, out: 0 });
    }
  });

  for (const kind of ['copied', 'rolled back'] as const) {
    test(`thousands of small batches (${kind}) do not make one long piece`, () => {
      const count = 4_000;
      const ofTransaction = { attributes: attributeBits.transactional, producerId: 1n };
      const record = { key: null, value: Buffer.from('v'), timestampMs: 1 };
      const fetch = Buffer.concat(
        Array.from({ length: count }, (_, baseOffset) => {
          return encodeBatch([record], { baseOffset, ...ofTransaction });
        }),
      );
      const aborted = kind === 'copied' ? [] : [{ producerId: 1n, firstOffset: 0n }];
      const ends: number[] = [];
      for (const piece of stamper().pieces(fetch, 0, aborted, 1024 * 1024)) {
        ends.push(piece.nextPosition);
        for (const batch of piece.batches) batch.release();
      }
      assert.ok(ends.length > 3, ends.join());
      assert.equal(ends.at(-1), count);
    });
  }

  test('what gzip has to compress is cut into smaller pieces: it takes the longest', () => {
    const value = Buffer.alloc(1024, 'abcdefgh');
    const piecesOf = (codec: 'gzip' | 'lz4'): number => {
      const fetch = Buffer.concat(
        Array.from({ length: 128 }, (_, index) => {
          const records = Array.from({ length: 16 }, () => ({ key: null, value, timestampMs: 1 }));
          return encodeBatch(records, { baseOffset: index * 16, codec });
        }),
      );
      let count = 0;
      for (const piece of stamper().pieces(fetch, 0, [], 1024 * 1024)) {
        count += 1;
        for (const batch of piece.batches) batch.release();
      }
      return count;
    };
    // Two MiB.
    assert.ok(piecesOf('gzip') >= 6 && piecesOf('lz4') <= 4);
  });

  test('a batch whose records are damaged, not its checksum, leaves nothing of itself', () => {
    const pool = new BufferPool();
    const record = { key: null, value: Buffer.from('v'), timestampMs: 1 };
    const bad = encodeBatch([record, record], { baseOffset: 1 });
    bad.writeInt32BE(1, 57);
    bad.writeInt32BE(2, 23);
    sealBatch(bad, { producerId: -1n, producerEpoch: -1, baseSequence: -1 });
    const both = Buffer.concat([batchAtOffset(0), bad]);
    assert.deepEqual(untilDamage(stamper({ pool }), both, 0), [[0], 1, 'orders/3@1']);
    assert.equal(pool.outBytes, 0);
  });

  test('an offset that breaks the order, which no checksum covers, is damage: none is passed over', () => {
    const far = Buffer.concat([0, 1_000, 2].map(batchAtOffset));
    assert.deepEqual(untilDamage(stamper(), far, 0), [[0], 1, 'orders/3@1000']);
    const back = Buffer.concat([5, 6, 4].map(batchAtOffset));
    assert.deepEqual(untilDamage(stamper(), back, 5), [[5], 6, 'orders/3@6']);
    const wild = batchAtOffset(1);
    wild.writeBigInt64BE(-7n);
    const wildBehind = Buffer.concat([batchAtOffset(0), wild]);
    assert.deepEqual(untilDamage(stamper(), wildBehind, 0), [[0], 1, 'orders/3@-7']);
  });

  test('any bytes with a right checksum give records or batch_corrupt, never anything else', () => {
    fc.assert(
      fc.property(
        batchLogs,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 6 }),
        (placed, hits) => {
          const records = Buffer.concat(placed.map(({ batch }) => batch));
          for (const [at, value] of hits) records[at % records.length] = value;
          for (let at = 0; at + 61 <= records.length;) {
            const size = 12 + records.readInt32BE(at + 8);
            if (size < 61 || at + size > records.length) break;
            records[at + 16] = 2;
            records.writeUInt32BE(crc32c(records.subarray(at + 21, at + size)), at + 17);
            at += size;
          }
          try {
            for (const batch of stamper().stamp(records, 0, []).batches) batch.release();
          } catch (error) {
            assert.ok(isMeshError(error, 'batch_corrupt'), String(error));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('the loop guard drops what has been at the target, by the stamps of our own hops only', () => {
    const stamped = (...sites: string[]): PlainRecord => ({
      key: null,
      value: Buffer.from(sites.join()),
      timestampMs: 1,
      headers: sites.map((site) => ({ key: originKeyBytes, value: Buffer.from(`${site}/t/0@1`) })),
    });
    const records = encodeBatch([stamped('west', 'north'), stamped('north', 'west')]);
    const guarded = stamper({ loop: { aliases: 1, targetSite: 'west' } }).stamp(records, 0, []);
    assert.deepEqual(
      landed(guarded).map(({ value }) => String(value)),
      ['west,north'],
    );
    assert.equal(guarded.skipped.looped, 1);
  });
});
