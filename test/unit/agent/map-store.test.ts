import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MapStore } from '../../../src/agent/map-store.ts';
import type { StateLog, StateRecord } from '../../../src/kafka/state-records.ts';
import { testDeps } from '../../support/deps.ts';

const copy = { flow: 'east->west', topic: 'orders', partition: 0 };
const producer = { producerId: 7n, producerEpoch: 1 };

function kindOf({ key, value }: StateRecord): string {
  return `${key.toString('latin1').split('/')[0]}${value === null ? ' forgotten' : ''}`;
}

test('the journal of the pass lane is forgotten behind the map that says the same, never alone', async () => {
  const appends: (readonly StateRecord[])[] = [];
  let isRefused = false;
  const log: StateLog = {
    topic: '__state',
    append: (records) => {
      if (isRefused) return Promise.reject(new Error('no leader'));
      appends.push(records);
      return Promise.resolve();
    },
    follow: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const maps = new MapStore(log, testDeps());
  for (const number of [0, 1]) {
    const runs = [{ sequence: number * 10, sourceOffset: number * 20 }];
    await maps.passes.put({ copy, producer, number }, { generation: 1, runs });
  }
  const map = maps.book.writer({ ...copy, generation: 1 });
  map.begin(1, 0, true);
  map.append({ sourceOffset: 0, targetOffset: 1, length: 12 });
  maps.passes.retire(copy, producer, 1);
  isRefused = true;
  await assert.rejects(maps.store(), /no leader/);
  const first = { baseSequence: 0, recordCount: 1 };
  assert.ok(maps.passes.find(copy, producer, first), 'what is not stored is not forgotten');
  isRefused = false;
  appends.length = 0;
  await maps.store();
  const [kinds, ...more] = appends.map((records) => [...new Set(records.map(kindOf))]);
  assert.deepEqual([kinds, more], [['map', 'pass forgotten'], []]);
  assert.equal(maps.passes.find(copy, producer, first), undefined);
  await maps.store();
  assert.equal(appends.length, 1, 'nothing has changed since');
});
