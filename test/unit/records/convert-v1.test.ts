import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from '@node-rs/crc32';
import { isMeshError } from '../../../src/base/errors.ts';
import { compress } from '../../../src/records/codecs.ts';
import { decodeBatches } from '../../../src/records/decode-records.ts';

function message(
  magic: 0 | 1,
  offset: number,
  timestamp: bigint,
  key: string | null,
  value: Buffer | null,
  attributes = 0,
): Buffer {
  const part = (bytes: Buffer | null): Buffer => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes?.length ?? -1);
    return Buffer.concat([length, bytes ?? Buffer.alloc(0)]);
  };
  const time = Buffer.alloc(magic === 1 ? 8 : 0);
  if (magic === 1) time.writeBigInt64BE(timestamp);
  const keyBytes = key === null ? null : Buffer.from(key);
  const rest = Buffer.concat([Buffer.from([magic, attributes]), time, part(keyBytes), part(value)]);
  const head = Buffer.alloc(16);
  head.writeBigInt64BE(BigInt(offset));
  head.writeInt32BE(rest.length + 4, 8);
  head.writeUInt32BE(crc32(rest), 12);
  return Buffer.concat([head, rest]);
}

function decoded(bytes: Buffer): [number, number, string | null, string | null][] {
  return [...decodeBatches(bytes, 'old/0')].flatMap(({ records }) =>
    records.map(
      ({ offset, timestampMs, key, value }): [number, number, string | null, string | null] => [
        offset,
        timestampMs,
        key?.toString() ?? null,
        value?.toString() ?? null,
      ],
    ),
  );
}

test('messages of v0 and v1 become records with the same offsets, times, keys and values', () => {
  const bytes = Buffer.concat([
    message(0, 10, 0n, 'a', Buffer.from('zero')),
    message(1, 11, 77n, null, Buffer.from('one')),
    message(1, 12, 78n, 'tombstone', null),
  ]);
  assert.deepEqual(decoded(bytes), [
    [10, -1, 'a', 'zero'],
    [11, 77, null, 'one'],
    [12, 78, 'tombstone', null],
  ]);
});

test('a compressed v1 message is opened; its inner offsets count from 0', () => {
  const inner = Buffer.concat([
    message(1, 0, 5n, 'k', Buffer.from('x')),
    message(1, 2, 6n, 'k', Buffer.from('y')),
  ]);
  assert.deepEqual(decoded(message(1, 22, 6n, null, compress('gzip', inner), 1)), [
    [20, 5, 'k', 'x'],
    [22, 6, 'k', 'y'],
  ]);
});

test('a damaged old message names its place', () => {
  const bytes = message(1, 4, 1n, 'k', Buffer.from('value'));
  bytes[bytes.length - 1] = 0;
  assert.throws(
    () => decoded(bytes),
    (error) => isMeshError(error, 'batch_corrupt') && error.message.includes('old/0@4'),
  );
});
