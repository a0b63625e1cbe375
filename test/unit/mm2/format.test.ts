import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import {
  checkpointKey,
  checkpointValue,
  heartbeatRecord,
  isWithdrawn,
  readCheckpointKey,
  readHeartbeatMs,
  withdrawn,
} from '../../../src/mm2/format.ts';

const checkpoint = {
  group: 'bills',
  topic: 'east.a',
  partition: 3,
  upstreamOffset: 258n,
  offset: 259n,
  metadata: 'é',
};

describe('records of MirrorMaker 2', () => {
  test('a checkpoint, byte for byte', () => {
    assert.equal(
      checkpointKey(checkpoint).toString('hex'),
      `0005${Buffer.from('bills').toString('hex')}0006${Buffer.from('east.a').toString('hex')}00000003`,
    );
    assert.equal(
      checkpointValue(checkpoint).toString('hex'),
      '0000' + '0000000000000102' + '0000000000000103' + '0002c3a9',
    );
    assert.equal(isWithdrawn(checkpointValue({ ...checkpoint, metadata: '' })), false);
    assert.equal(isWithdrawn(withdrawn), true);
    assert.equal(isWithdrawn(null), true);
  });

  test('keys are read back; what is none is not taken for one', () => {
    const { group, topic, partition } = checkpoint;
    assert.deepEqual(readCheckpointKey(checkpointKey(checkpoint)), { group, topic, partition });
    for (const bytes of [Buffer.alloc(0), Buffer.from('a key'), Buffer.from([0, 9, 1])]) {
      assert.equal(readCheckpointKey(bytes), undefined);
    }
  });

  test('a heartbeat, byte for byte', () => {
    const { key, value } = heartbeatRecord(siteName('east'), siteName('west'), 513);
    const names = ['east', 'west'].map((name) => `0004${Buffer.from(name).toString('hex')}`);
    assert.equal(key.toString('hex'), names.join(''));
    assert.equal(value?.toString('hex'), '0000' + '0000000000000201');
    assert.equal(readHeartbeatMs(value), 513);
    assert.equal(readHeartbeatMs(Buffer.from('x')), undefined);
    assert.equal(readHeartbeatMs(null), undefined);
  });
});
