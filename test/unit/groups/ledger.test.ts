import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeshError } from '../../../src/base/errors.ts';
import { siteName } from '../../../src/base/ids.ts';
import type { GroupHome } from '../../../src/groups/answer.ts';
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

test('a home that could not be stored is stored later, unless another one has come', async () => {
  const log: StateRecord[] = [];
  let fails = true;
  const ledger = new Ledger((records) => {
    if (fails) return Promise.reject(new MeshError('kafka_timeout', 'no answer'));
    log.push(...records);
    return Promise.resolve();
  });
  const home = (epoch: number): GroupHome => ({ site: siteName('west'), epoch, state: 'moved' });
  await assert.rejects(ledger.setHome('g', home(2)));
  await assert.rejects(ledger.setHome('h', home(2)));
  await assert.rejects(ledger.noteLeft('g', 2));
  assert.equal(ledger.hasLeft('g', 2), false);
  fails = false;
  await ledger.setHome('h', home(3));
  await ledger.storeHomes();
  const stored = new Ledger(() => Promise.resolve());
  for (const record of log) stored.load(record);
  assert.deepEqual([stored.home('g')?.epoch, stored.home('h')?.epoch], [2, 3]);
  const names = log.map(({ key }) => key.toString());
  assert.deepEqual(names.sort(), ['home/1/g', 'home/1/h']);
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
