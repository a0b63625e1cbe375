import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BufferPool } from '../../../src/base/buffer-pool.ts';

test('memory given back is used again', () => {
  const pool = new BufferPool();
  const first = pool.take(5000);
  assert.ok(first.bytes.length >= 5000);
  first.release();
  assert.equal(pool.take(6000).bytes, first.bytes);
});

test('two holders never share memory', () => {
  const pool = new BufferPool();
  assert.notEqual(pool.take(100).bytes, pool.take(100).bytes);
});

test('counts what is out, and keeps no more than its bound', () => {
  const pool = new BufferPool(4096);
  const [one, two] = [pool.take(1), pool.take(1)];
  assert.equal(pool.outBytes, 8192);
  one.release();
  two.release();
  two.release();
  assert.equal(pool.outBytes, 0);
  assert.equal(pool.take(1).bytes, one.bytes);
  assert.notEqual(pool.take(1).bytes, two.bytes);
});
