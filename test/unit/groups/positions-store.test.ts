import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import { PositionsStore, type ObservedOffset } from '../../../src/groups/positions-store.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';

const east = siteName('east');

const at = (partition: number, offset: bigint): ObservedOffset => ({
  topic: 'orders',
  partition,
  offset,
  leaderEpoch: -1,
  metadata: '',
});

/** What a store that loads the records knows: offsets by partition. */
function reloaded(records: readonly StateRecord[]): (bigint | undefined)[] {
  const store = new PositionsStore();
  for (const record of records) assert.ok(store.load(record));
  const positions = store.positions(east, 'billing');
  return [...positions].sort((a, b) => a.partition - b.partition).map(({ offset }) => offset);
}

async function stored(store: PositionsStore): Promise<StateRecord[]> {
  const records: StateRecord[] = [];
  await store.store((some) => {
    records.push(...some);
    return Promise.resolve();
  });
  return records;
}

describe('what is stored of positions', () => {
  test('a change is stored though a reading that says nothing new follows at once', async () => {
    const store = new PositionsStore();
    store.observe(east, 'billing', [at(0, 7n)], 1);
    store.observe(east, 'billing', [at(0, 7n)], 2);
    assert.deepEqual(reloaded(await stored(store)), [7n]);
  });

  test('a partition that was reset, told by a peer beside one that is the same', async () => {
    const store = new PositionsStore();
    const position = { site: east, group: 'billing' };
    store.take({ ...position, ...at(0, 10n), asOfMs: 1 });
    store.take({ ...position, ...at(1, 10n), asOfMs: 1 });
    const before = await stored(store);
    store.take({ ...position, ...at(0, 5n), asOfMs: 100_000 });
    store.take({ ...position, ...at(1, 10n), asOfMs: 100_000 });
    assert.deepEqual(reloaded([...before, ...(await stored(store))]), [5n, 10n]);
  });

  test('what could not be stored is stored the next time, as it is then', async () => {
    const store = new PositionsStore();
    store.observe(east, 'billing', [at(0, 7n)], 1);
    await assert.rejects(store.store(() => Promise.reject(new Error('no broker'))));
    store.observe(east, 'billing', [at(0, 7n)], 2);
    assert.deepEqual(reloaded(await stored(store)), [7n]);
    assert.deepEqual(await stored(store), []);
  });
});
