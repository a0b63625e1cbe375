import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchAt, completeBatches, readOffset } from '../../../src/records/batch-header.ts';

function batchOf(bytesAfterLength: number): Buffer {
  const bytes = Buffer.alloc(12 + bytesAfterLength);
  bytes.writeInt32BE(bytesAfterLength, batchAt.batchLength);
  return bytes;
}

test('walks complete batches and leaves out the one that was cut off', () => {
  const whole = Buffer.concat([batchOf(49), batchOf(100), batchOf(60)]);
  const cut = whole.subarray(0, whole.length - 1);
  const ends = (bytes: Buffer): number[] => [...completeBatches(bytes)].map(({ to }) => to);
  assert.deepEqual(ends(whole), [61, 173, 245]);
  assert.deepEqual(ends(cut), [61, 173]);
  assert.deepEqual(ends(whole.subarray(0, 15)), []);
});

test('a length that cannot be ends the walk', () => {
  const bytes = batchOf(49);
  bytes.writeInt32BE(-40, batchAt.batchLength);
  assert.deepEqual([...completeBatches(bytes)], []);
});

test('offsets are exact up to 2^53, and refused beyond', () => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(Number.MAX_SAFE_INTEGER));
  assert.equal(readOffset(bytes, 0), Number.MAX_SAFE_INTEGER);
  bytes.writeBigInt64BE(2n ** 53n);
  assert.throws(() => readOffset(bytes, 0), /below 2\^53/);
  bytes.writeBigInt64BE(-1n);
  assert.throws(() => readOffset(bytes, 0), /below 2\^53/);
});
