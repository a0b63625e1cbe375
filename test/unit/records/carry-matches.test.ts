import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BufferPool } from '../../../src/base/buffer-pool.ts';
import { batchAt } from '../../../src/records/batch-header.ts';
import { encodeBatch, type PlainRecord } from '../../../src/records/build-batch.ts';
import { carryMatches } from '../../../src/records/carry-matches.ts';
import { compress, decompress, type Codec } from '../../../src/records/codecs.ts';
import { lz4Format } from '../../../src/records/lz4-frame.ts';
import { areaOf, MatchPacker } from '../../../src/records/match-packer.ts';
import { MatchedText } from '../../../src/records/matched-text.ts';
import { RecordReader } from '../../../src/records/record-reader.ts';
import { snappyFormat } from '../../../src/records/snappy-frame.ts';
import { readBatch, readMatches } from '../../../src/records/source-batch.ts';
import { Stamper } from '../../../src/records/stamper.ts';
import { Seeded } from '../../support/seeded.ts';

function noiseOf(seed: number, bytes: number): Buffer {
  const seeded = new Seeded(seed);
  return Buffer.from(Array.from({ length: bytes }, () => Math.floor(seeded.next() * 256)));
}

const formats = { lz4: lz4Format, snappy: snappyFormat } as const;
type Carried = keyof typeof formats;
const carried: readonly Carried[] = ['lz4', 'snappy'];

/** From runs of one byte and repeated words to noise. */
const value: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      fc.record({ unit: fc.uint8Array({ minLength: 1, maxLength: 9 }), times: fc.nat(300) }),
      fc.record({ unit: fc.constantFrom('status', '"user":', ' = true; '), times: fc.nat(4) }),
      fc.record({ unit: fc.uint8Array({ maxLength: 600 }), times: fc.constant(1) }),
    ),
    { maxLength: 8 },
  )
  .map((parts) =>
    Buffer.concat(
      parts.flatMap(({ unit, times }) => Array<Buffer>(times).fill(Buffer.from(unit as string))),
    ),
  );
const record: fc.Arbitrary<PlainRecord> = fc.record({
  key: fc.option(value),
  value: fc.option(value),
  timestampMs: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_900_000 }),
  headers: fc.array(fc.record({ key: value, value: fc.option(value) }), { maxLength: 2 }),
});
const batch = fc.array(record, { minLength: 1, maxLength: 40 });

/**
 * The kept parts of the records, without some of them, and something put between, as stamping does:
 * packed from the matches of the source alone.
 */
function rebuilt(source: MatchedText, codec: Carried, dropEvery: number): [Buffer, Buffer] {
  const reader = new RecordReader(source.text, 'test');
  const limit = source.length * 2 + 100_000;
  const text = areaOf(Buffer.alloc(limit + 8));
  const packer = new MatchPacker(formats[codec], new BufferPool(), text, 0, limit);
  let at = 0;
  for (let index = 0; reader.next(); index += 1) {
    if (index % dropEvery === dropEvery - 1) continue;
    const { keyAt, headersAt, firstHeaderAt, to } = reader;
    const startAt = at;
    const keptAt = at + text.bytes.write(`#${index}`, at);
    at = keptAt + reader.bytes.copy(text.bytes, keptAt, keyAt, headersAt);
    const keptAt2 = at + text.bytes.write('+', at);
    const stampAt = keptAt2 + reader.bytes.copy(text.bytes, keptAt2, firstHeaderAt, to);
    at = stampAt + text.bytes.write(`causeway-origin east/orders/3@${1000 + index}`, stampAt);
    source.place(keyAt, headersAt, keptAt, firstHeaderAt, to, keptAt2);
    source.placeIn(startAt, stampAt, at);
  }
  carryMatches(source, packer);
  return [text.bytes.subarray(0, at), packer.close(at)];
}

function read(records: readonly PlainRecord[], codec: Codec, into: MatchedText): boolean {
  return readMatches(readBatch(encodeBatch(records, { codec }), 'test'), into);
}

describe('matches of a source batch', () => {
  const source = new MatchedText();
  for (const codec of carried) {
    test(`${codec}: the text is read as the library reads it`, () => {
      fc.assert(
        fc.property(fc.array(value, { maxLength: 400 }), (values) => {
          const plain = Buffer.concat(values);
          const packed = Buffer.concat([Buffer.alloc(batchAt.records), compress(codec, plain)]);
          const whole = { ...readBatch(encodeBatch([]), 'test'), codec, bytes: packed };
          assert.equal(readMatches(whole, source), true);
          assert.deepEqual(source.text, plain);
        }),
        { numRuns: 100 },
      );
    });

    test(`${codec}: what is packed from them alone is the new text, to the library`, () => {
      fc.assert(
        fc.property(batch, fc.integer({ min: 2, max: 9 }), (records, dropEvery) => {
          assert.equal(read(records, codec, source), true);
          const [text, packed] = rebuilt(source, codec, dropEvery);
          if (text.length === 0) return;
          assert.deepEqual(decompress(codec, packed), text);
        }),
        { numRuns: 200 },
      );
    });

    test(`${codec}: text that repeats itself stays small`, () => {
      const records = Array.from({ length: 400 }, (_, index) => ({
        key: Buffer.from(`user-${index % 7}`),
        value: Buffer.from(`{"status":"active","amount":${index},"city":"Linz"}`.repeat(4)),
        timestampMs: 1_700_000_000_000,
      }));
      const before = encodeBatch(records, { codec }).length;
      assert.equal(read(records, codec, source), true);
      const [, packed] = rebuilt(source, codec, 1_000);
      // What each record is given anew, a stamp and a few bytes, is not there before.
      assert.ok(packed.length < before + 400 * 12, `${packed.length} of ${before} bytes`);
    });

    test(`${codec}: damaged bytes never reach outside, and end`, () => {
      const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
      fc.assert(
        fc.property(batch, damage, (records, changes) => {
          const whole = readBatch(encodeBatch(records, { codec }), 'test');
          const packed = whole.bytes.subarray(batchAt.records);
          for (const [place, byte] of changes) packed[place % packed.length] = byte;
          if (!readMatches(whole, source)) return;
          assert.ok(source.length <= packed.length * 255);
          // Where we can read it, so can the library, and it reads the same.
          assert.deepEqual(source.text, decompress(codec, packed));
        }),
        { numRuns: 500 },
      );
    });
  }

  for (const codec of carried) {
    test(`${codec}: noise, large records and many batches are stamped the same as uncompressed`, () => {
      const noise = fc
        .record({ seed: fc.integer({ min: 1 }), bytes: fc.integer({ min: 200, max: 3_000 }) })
        .map(({ seed, bytes }) => noiseOf(seed, bytes));
      const sparse = fc.record({ key: fc.option(value), value: noise });
      const batches = fc.array(fc.array(sparse, { minLength: 1, maxLength: 20 }), {
        minLength: 1,
        maxLength: 6,
      });
      fc.assert(
        fc.property(batches, fc.integer({ min: 1, max: 400 }), (all, largeKb) => {
          const large = { key: null, value: noiseOf(1, largeKb * 1024) };
          const log = [...all, [large, large]];
          assert.deepEqual(stamped(log, codec), stamped(log, 'none'));
        }),
        { numRuns: 40 },
      );
    });
  }
});

/** The plain records of the stamped batches. */
function stamped(
  log: readonly (readonly Pick<PlainRecord, 'key' | 'value'>[])[],
  codec: Codec,
): Buffer[] {
  let baseOffset = 1_000;
  const batches = log.map((records) => {
    const placed = records.map((one, index) => ({
      ...one,
      timestampMs: 1_700_000_000_000 + index,
    }));
    const made = encodeBatch(placed, { codec, baseOffset });
    baseOffset += records.length;
    return made;
  });
  const pool = new BufferPool();
  const stamper = new Stamper({
    site: 'east',
    topic: 'orders',
    partition: 3,
    generation: 1,
    batchBytesMax: 2 ** 26,
    codec: 'source',
    pool,
  });
  const { batches: made } = stamper.stamp(Buffer.concat(batches), 0, []);
  const texts = made.map(({ bytes }) => decompress(codec, bytes.subarray(batchAt.records)));
  for (const one of made) one.release();
  assert.equal(pool.outBytes, 0);
  return [Buffer.concat(texts)];
}
