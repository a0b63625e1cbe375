import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isMeshError } from '../../../src/base/errors.ts';
import { compress, decompress, type Codec } from '../../../src/records/codecs.ts';
import snappy from 'snappy';

const packing: readonly Codec[] = ['gzip', 'snappy', 'lz4', 'zstd'];

describe('codecs', () => {
  for (const codec of packing) {
    test(`${codec}: what goes in comes out, empty and large too`, () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 5_000 }),
          fc.integer({ min: 1, max: 60 }),
          (part, times) => {
            const plain = Buffer.concat(Array.from({ length: times }, () => Buffer.from(part)));
            assert.deepEqual(decompress(codec, compress(codec, plain)), plain);
          },
        ),
        { numRuns: 60 },
      );
    });

    test(`${codec}: damaged bytes are an error that says so`, () => {
      const packed = Buffer.from(compress(codec, Buffer.from('some text '.repeat(500))));
      packed.fill(0xff, 4, packed.length - 4);
      assert.throws(
        () => decompress(codec, packed),
        (error) => isMeshError(error, 'batch_corrupt') && error.message.includes(codec),
      );
    });
  }

  test('snappy: one raw block, as librdkafka writes it, is read', () => {
    const plain = Buffer.from('raw block '.repeat(100));
    assert.deepEqual(decompress('snappy', snappy.compressSync(plain)), plain);
  });
});
