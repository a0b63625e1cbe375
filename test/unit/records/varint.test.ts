import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  intLength,
  longLength,
  readBigLong,
  VarintCursor,
  writeInt,
  writeLong,
} from '../../../src/records/varint.ts';

const bytes = Buffer.alloc(16);

test('what is written is read back, in as many bytes as foretold', () => {
  fc.assert(
    fc.property(fc.integer(), (value) => {
      const cursor = new VarintCursor();
      assert.equal(writeInt(bytes, 0, value), intLength(value));
      assert.equal(cursor.readInt(bytes), value);
      assert.equal(cursor.at, intLength(value));
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), (value) => {
      const cursor = new VarintCursor();
      assert.equal(writeLong(bytes, 0, value), longLength(value));
      assert.equal(cursor.readLong(bytes), value);
      assert.equal(cursor.at, longLength(value));
    }),
  );
});

test('64 bits are read exactly, to both ends', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), (value) => {
      writeLong(bytes, 0, value);
      assert.equal(readBigLong(bytes, 0), BigInt(value));
    }),
  );
  const all = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
  assert.equal(readBigLong(Buffer.from(all), 0), -(2n ** 63n));
  assert.equal(readBigLong(Buffer.from([0xfe, ...all.slice(1)]), 0), 2n ** 63n - 1n);
});

test('the examples of the protocol buffers page', () => {
  const cases: [number, number[]][] = [
    [0, [0]],
    [-1, [1]],
    [1, [2]],
    [63, [0x7e]],
    [64, [0x80, 0x01]],
    [2147483647, [0xfe, 0xff, 0xff, 0xff, 0x0f]],
    [-2147483648, [0xff, 0xff, 0xff, 0xff, 0x0f]],
  ];
  for (const [value, expected] of cases) {
    const end = writeInt(bytes, 0, value);
    assert.deepEqual([...bytes.subarray(0, end)], expected);
    assert.deepEqual([...bytes.subarray(0, writeLong(bytes, 0, value))], expected);
  }
});
