import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBatch } from '../../../src/records/build-batch.ts';
import { decodeBatches } from '../../../src/records/decode-records.ts';
import { sealBatch } from '../../../src/records/seal.ts';

test('a timestamp years before the first of its batch keeps its sign', () => {
  const far = 2 ** 52 + 1_680;
  const batch = Buffer.from(encodedFarApart(far));
  const [decoded] = [...decodeBatches(batch, 'far/0')];
  assert.deepEqual(
    decoded?.records.map(({ timestampMs }) => timestampMs),
    [far, 0],
  );
});

/** Two records, at `far` and at 0, in one batch, written byte by byte. */
function encodedFarApart(far: number): Buffer {
  const record = (delta: bigint, index: number): Buffer => {
    const zigzag = delta >= 0n ? delta * 2n : -delta * 2n - 1n;
    const time: number[] = [];
    for (let rest = zigzag; ; rest >>= 7n) {
      if (rest < 128n) {
        time.push(Number(rest));
        break;
      }
      time.push(Number(rest & 0x7fn) | 0x80);
    }
    const body = [0, ...time, index * 2, 1, 1, 0];
    return Buffer.from([body.length * 2, ...body]);
  };
  const records = Buffer.concat([record(0n, 0), record(-BigInt(far), 1)]);
  const header = encodeBatch([
    { key: null, value: null, timestampMs: far },
    { key: null, value: null, timestampMs: far },
  ]).subarray(0, 61);
  const batch = Buffer.concat([header, records]);
  batch.writeInt32BE(batch.length - 12, 8);
  sealBatch(batch, { producerId: -1n, producerEpoch: -1, baseSequence: -1 });
  return batch;
}
