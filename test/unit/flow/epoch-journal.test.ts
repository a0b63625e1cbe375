import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EpochJournal } from '../../../src/flow/epoch-journal.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';

const key = { flow: 'east->west', topic: 'orders', partition: 3 };

test('what was stored of epochs is found again, by generation, and those between the first and the newest are forgotten', async () => {
  const stored: StateRecord[] = [];
  const journal = new EpochJournal((records) => {
    stored.push(...records);
    return Promise.resolve();
  });
  await journal.put(key, 1, [
    { epoch: 4, from: 0 },
    { epoch: 7, from: 120 },
  ]);
  await journal.put(key, 2, [{ epoch: 9, from: 80 }]);
  for (let epoch = 10; epoch < 30; epoch += 1) {
    await journal.put(key, 3, [{ epoch, from: epoch * 10 }]);
  }
  const loaded = new EpochJournal(() => Promise.resolve());
  for (const record of stored) assert.equal(loaded.load(record), true);
  for (const one of [journal, loaded]) {
    assert.deepEqual(one.chain(key, 1).starts, [
      { epoch: 4, from: 0 },
      { epoch: 7, from: 120 },
    ]);
    assert.deepEqual(one.chain(key, 2).starts, [{ epoch: 9, from: 80 }]);
    const kept = one.chain(key, 3).starts;
    assert.deepEqual([kept.length, kept[0]?.epoch, kept.at(-1)?.epoch], [16, 10, 29]);
    assert.deepEqual(one.chain({ ...key, partition: 4 }, 1).starts, []);
  }
});

test('records of other kinds are left to others; a damaged one is named', () => {
  const journal = new EpochJournal(() => Promise.resolve());
  const other = { key: Buffer.from('copy/1/east->west/orders/3'), value: Buffer.from('{}') };
  assert.equal(journal.load(other), false);
  const damaged = { key: Buffer.from('epoch/1/f/t/0/1/x'), value: Buffer.from('1') };
  assert.throws(() => journal.load(damaged), /not the start of a leader epoch/);
});
