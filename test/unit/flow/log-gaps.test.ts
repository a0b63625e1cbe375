import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstGap } from '../../../src/flow/log-gaps.ts';
import { encodeBatch } from '../../../src/records/build-batch.ts';

function batch(baseOffset: number, places: number, kept = places): Buffer {
  const records = Array.from({ length: kept }, () => ({ key: null, value: null, timestampMs: 1 }));
  const bytes = encodeBatch(records, { baseOffset });
  bytes.writeInt32BE(places - 1, 23);
  return bytes;
}

test('a fetch that goes on batch by batch has no gap, wherever it begins and ends', () => {
  const whole = Buffer.concat([batch(10, 5), batch(15, 1, 0), batch(16, 4)]);
  for (const position of [10, 12, 14]) assert.equal(firstGap(whole, position), undefined);
  assert.equal(firstGap(whole.subarray(0, whole.length - 1), 10), undefined);
  assert.equal(firstGap(Buffer.of(), 10), undefined);
});

test('the first offsets that are passed over are named, with the place behind them', () => {
  const [one, two, three] = [batch(10, 5), batch(17, 2), batch(30, 1)];
  const records = Buffer.concat([one, two, three]);
  assert.deepEqual(firstGap(records, 10), { at: one.length, from: 15, to: 17 });
  assert.deepEqual(firstGap(records, 8), { at: 0, from: 8, to: 10 });
  assert.deepEqual(firstGap(records.subarray(one.length), 18), {
    at: two.length,
    from: 19,
    to: 30,
  });
});

test('a damaged offset is left to be named as what it is', () => {
  const wild = batch(15, 1);
  wild.writeBigInt64BE(-7n);
  assert.equal(firstGap(Buffer.concat([batch(10, 5), wild, batch(16, 1)]), 10), undefined);
});

test('old formats do not say where a batch begins', () => {
  const old = batch(14, 1);
  old[16] = 1;
  assert.equal(firstGap(Buffer.concat([old, batch(15, 1)]), 10), undefined);
});
