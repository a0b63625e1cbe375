import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from '../../../src/groups/ledger.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';

const at = (offset: bigint) => ({ topic: 'east.orders', partition: 0, offset });

/** A ledger, and the state topic that it writes to. */
function open(): { ledger: Ledger; log: StateRecord[] } {
  const log: StateRecord[] = [];
  const ledger = new Ledger((records) => {
    log.push(...records);
    return Promise.resolve();
  });
  return { ledger, log };
}

test('what was written last is ours; what was written shortly before was written by us', async () => {
  const { ledger } = open();
  for (const offset of [100n, 200n]) {
    await ledger.noteWritten('g', [at(offset)]);
    ledger.confirmWritten('g', [at(offset)]);
  }
  assert.deepEqual([ledger.isOurs('g', at(100n)), ledger.isOurs('g', at(200n))], [false, true]);
  assert.deepEqual([ledger.wrote('g', at(100n)), ledger.wrote('g', at(200n))], [true, true]);
  assert.equal(ledger.wrote('g', at(150n)), false);
  assert.equal(ledger.wrote('h', at(100n)), false);
});

test('an own record that comes round does not set memory back', async () => {
  const { ledger, log } = open();
  for (const offset of [100n, 200n]) {
    await ledger.noteWritten('g', [at(offset)]);
    ledger.confirmWritten('g', [at(offset)]);
  }
  for (const record of log) {
    ledger.load(record);
    assert.deepEqual([ledger.isOurs('g', at(100n)), ledger.isOurs('g', at(200n))], [false, true]);
  }
});

test("another agent's records are taken in order, back and forth too", async () => {
  const writer = open();
  for (const offset of [100n, 50n, 100n]) await writer.ledger.noteWritten('g', [at(offset)]);
  const reader = open();
  for (const record of writer.log) reader.ledger.load(record);
  assert.equal(reader.ledger.isOurs('g', at(100n)), true);
  assert.equal(reader.ledger.wrote('g', at(50n)), true);
});

test('after a restart it is as it was', async () => {
  const { ledger, log } = open();
  await ledger.noteWritten('g', [at(100n), { topic: 'orders', partition: 3, offset: 7n }]);
  const again = open();
  again.ledger.load(log.at(-1)!);
  assert.equal(again.ledger.isOurs('g', at(100n)), true);
  assert.equal(again.ledger.isOurs('g', { topic: 'orders', partition: 3, offset: 7n }), true);
});
