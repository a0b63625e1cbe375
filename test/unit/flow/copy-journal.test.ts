import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CopyJournal } from '../../../src/flow/copy-journal.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';

const key = { flow: 'east->west', topic: 'orders', partition: 3 };
const record = {
  producerIds: [7n, 9007199254740993n],
  generation: 2,
  startOffset: 12n,
  sourceTopicId: 'abc',
  targetTopicId: 'def',
};

test('what was put is found again by another agent that reads the topic', async () => {
  const stored: StateRecord[] = [];
  const journal = new CopyJournal((records) => {
    stored.push(...records);
    return Promise.resolve();
  });
  await journal.put(key, record);
  const other = new CopyJournal(() => Promise.resolve());
  for (const found of stored) assert.equal(other.load(found), true);
  assert.deepEqual(other.get(key), record);
});

test('all of a topic, and nothing of another one or of another flow', async () => {
  const journal = new CopyJournal(() => Promise.resolve());
  const { flow, topic } = key;
  for (const one of [key, { ...key, partition: 4 }]) await journal.put(one, record);
  await journal.put({ ...key, topic: 'orders.eu' }, record);
  await journal.put({ ...key, flow: 'west->east' }, record);
  assert.deepEqual([...journal.ofTopic({ flow, topic })], [record, record]);
  assert.deepEqual([...journal.ofTopic({ flow, topic: 'none' })], []);
});

test('nothing is remembered that was not stored', async () => {
  const journal = new CopyJournal(() => Promise.reject(new Error('no leader')));
  await assert.rejects(journal.put(key, record), /no leader/);
  assert.equal(journal.get(key), undefined);
});

test('other records of the topic are left alone, and a tombstone forgets', async () => {
  const stored: StateRecord[] = [];
  const journal = new CopyJournal((records) => {
    stored.push(...records);
    return Promise.resolve();
  });
  assert.equal(journal.load({ key: Buffer.from([1, 2, 3]), value: null }), false);
  await journal.put(key, record);
  const [first] = stored;
  assert.ok(first !== undefined);
  journal.load({ key: first.key, value: null });
  assert.equal(journal.get(key), undefined);
});

test('a record that cannot be read is named', () => {
  const journal = new CopyJournal(() => Promise.resolve());
  for (const value of ['{', '{}', '{"producerIds":[1],"generation":1}']) {
    assert.throws(
      () => journal.load({ key: Buffer.from('copy/1/east->west/t/0'), value: Buffer.from(value) }),
      /copy\/1\/east->west\/t\/0.*not a copy record/,
    );
  }
});
