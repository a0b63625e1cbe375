import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMeshError } from '../../../src/base/errors.ts';
import { isCommitMarker, readOffsetsRecord } from '../../../src/kafka/offsets-record.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** group `g1`, topic `orders`, partition 3 */
const place = '0002 6731 0006 6f7264657273 00000003';
const key = hex(`0001 ${place}`);
const at = { group: 'g1', topic: 'orders', partition: 3 };

/** As brokers of all versions wrote and write them: offset 1190, metadata `m`. */
const values: Readonly<Record<string, string>> = {
  'version 0': '0000 00000000000004a6 0001 6d 0000019000000000',
  'version 1, with its own time to expire':
    '0001 00000000000004a6 0001 6d 0000019000000000 0000019000000fff',
  'version 2': '0002 00000000000004a6 0001 6d 0000019000000000',
  'version 3, with a leader epoch': '0003 00000000000004a6 00000007 0001 6d 0000019000000000',
  'version 4, flexible': '0004 00000000000004a6 00000007 02 6d 0000019000000000 00',
  'version 4, with the topic id': `0004 00000000000004a6 00000007 02 6d 0000019000000000 01 00 10 ${'ab'.repeat(16)}`,
  'version 4, with a tag to come':
    '0004 00000000000004a6 00000007 02 6d 0000019000000000 01 09 02 ffff',
};

for (const [name, value] of Object.entries(values)) {
  test(`a commit, ${name}`, () => {
    const leaderEpoch = /version [34]/.test(name) ? 7 : -1;
    assert.deepEqual(readOffsetsRecord(key, hex(value), 'log/0@5'), {
      kind: 'commit',
      ...at,
      offset: 1190n,
      leaderEpoch,
      metadata: 'm',
      committedAtMs: 0x19000000000,
    });
  });
}

test('the key of the oldest kind, and no value: deleted', () => {
  assert.deepEqual(readOffsetsRecord(hex(`0000 ${place}`), null, 'x'), { kind: 'deleted', ...at });
});

test('groups, members, assignments of both protocols are passed over, also kinds to come', () => {
  for (const version of ['0002', '0003', '0005', '0008', '0010', '0017', '7fff', '8000']) {
    const found = readOffsetsRecord(hex(`${version} 0002 6731`), hex('0000 ff'), 'x');
    assert.deepEqual(found, { kind: 'other' });
  }
});

test('a value that is not known or breaks off is told with its group, not guessed', () => {
  const broken = {
    'version 5 of its value': '0005 00000000000004a6 00000007 02 6d 0000019000000000 00',
    'version -1 of its value': 'ffff 00000000000004a6',
    'ends early': '0003 00000000000004a6 00000007 0009 6d',
    '1 bytes too many': '0003 00000000000004a6 00000007 0001 6d 0000019000000000 00',
  };
  for (const [found, value] of Object.entries(broken)) {
    const record = readOffsetsRecord(key, hex(value), 'x');
    assert.equal(record.kind, 'unreadable');
    assert.equal(record.group, 'g1');
    assert.match(record.found, new RegExp(found));
  }
});

test('the key of a commit that breaks off is an error that names the place', () => {
  for (const junk of ['00', '0001', '0001 0002 67', `0001 ${place} 00`]) {
    assert.throws(
      () => readOffsetsRecord(hex(junk), null, '__consumer_offsets/7@99'),
      (error) => isMeshError(error, 'batch_corrupt') && error.message.includes('/7@99'),
    );
  }
});

test('junk never gets out as anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.option(fc.uint8Array()), (keyBytes, valueBytes) => {
      const value = valueBytes === null ? null : Buffer.from(valueBytes);
      try {
        readOffsetsRecord(Buffer.from(keyBytes), value, 'x');
        readOffsetsRecord(key, value, 'x');
      } catch (error) {
        assert.ok(isMeshError(error, 'batch_corrupt'));
      }
    }),
  );
});

test('markers: commit and abort', () => {
  assert.equal(isCommitMarker(hex('0000 0001')), true);
  assert.equal(isCommitMarker(hex('0000 0000')), false);
  assert.equal(isCommitMarker(null), false);
});
