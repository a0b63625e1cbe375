import assert from 'node:assert/strict';
import { test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import type { GroupPosition } from '../../../src/groups/answer.ts';
import { PositionsStore, type StoreChange } from '../../../src/groups/positions-store.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';

const east = siteName('east');

function commit(partition: number, offset: bigint | undefined, metadata = '') {
  return { topic: 'orders', partition, offset, leaderEpoch: -1, metadata };
}

function told(partition: number, offset: bigint | undefined, asOfMs: number): GroupPosition {
  return { site: east, group: 'g', asOfMs, ...commit(partition, offset) };
}

function heard(store: PositionsStore): StoreChange[] {
  const changes: StoreChange[] = [];
  store.onChange((change) => changes.push(change));
  return changes;
}

const offsets = (store: PositionsStore): (bigint | undefined)[] =>
  store.positions(east, 'g').map(({ offset }) => offset);

async function stored(store: PositionsStore): Promise<StateRecord[]> {
  const records: StateRecord[] = [];
  await store.store((some) => {
    records.push(...some);
    return Promise.resolve();
  });
  return records;
}

/** What a store that loads the records knows: offsets by partition. */
function reloaded(records: readonly StateRecord[]): (bigint | undefined)[] {
  const store = new PositionsStore();
  for (const record of records) assert.ok(store.load(record));
  return [...store.positions(east, 'g')]
    .sort((a, b) => a.partition - b.partition)
    .map(({ offset }) => offset);
}

test('only what changed is told and stored, however often it is read', async () => {
  const store = new PositionsStore();
  const changes = heard(store);
  store.observe(east, 'g', [commit(0, 5n), commit(1, 6n)], 100);
  assert.equal((await stored(store)).length, 1);
  for (let at = 200; at < 100_000; at += 1000) {
    store.observe(east, 'g', [commit(0, 5n), commit(1, 6n)], at);
  }
  assert.equal(changes.length, 1);
  assert.equal((await stored(store)).length, 0);
  store.change(east, 'g', [commit(1, 7n)], 100_001);
  const last = changes.at(-1);
  assert.deepEqual(last?.kind === 'positions' && last.changed.map(({ offset }) => offset), [7n]);
});

test('the same offset in another epoch of its leader is told and stored', async () => {
  const store = new PositionsStore();
  const changes = heard(store);
  store.observe(east, 'g', [commit(0, 5n)], 100);
  await stored(store);
  store.change(east, 'g', [{ ...commit(0, 5n), leaderEpoch: 4 }], 200);
  assert.equal(changes.length, 2);
  assert.equal((await stored(store)).length, 1);
});

test('a commit that is not there any more is a row without offset, one that never was is none', () => {
  const store = new PositionsStore();
  store.observe(east, 'g', [], 50);
  store.change(east, 'g', [commit(3, undefined)], 60);
  assert.deepEqual(store.groups(east), []);
  store.observe(east, 'g', [commit(0, 5n), commit(1, 6n)], 100);
  store.observe(east, 'g', [commit(1, 6n)], 200);
  assert.deepEqual(offsets(store), [undefined, 6n]);
});

test('what is stored is what is loaded again; older is not taken over newer', async () => {
  const store = new PositionsStore();
  store.observe(east, 'g', [commit(0, 5n, 'ü'), commit(1, 6n)], 100);
  store.observe(east, 'g', [commit(1, 6n)], 200);
  store.noteAsOf(east, 300);
  const records = await stored(store);
  const later = new PositionsStore();
  for (const record of records) assert.equal(later.load(record), true);
  assert.deepEqual(
    later.positions(east, 'g'),
    store.positions(east, 'g').map((one) => ({ ...one, asOfMs: 200 })),
  );
  assert.equal(later.asOfMs(east, 'g'), 300);
  assert.equal((await stored(later)).length, 0);
  later.take(told(0, 4n, 150));
  assert.equal(offsets(later)[0], undefined);
  later.take(told(0, 9n, 250));
  assert.equal(offsets(later)[0], 9n);
  for (const record of records) later.load(record);
  assert.equal(offsets(later)[0], 9n);
});

test('of a site that is read here nobody else is believed, until it is released', () => {
  const store = new PositionsStore();
  store.claim(east);
  store.change(east, 'g', [commit(0, 5n)], 1_000);
  store.take(told(0, 99n, 2_000));
  store.takeAsOf(east, 2_000);
  assert.deepEqual(offsets(store), [5n]);
  assert.equal(store.siteAsOfMs(east), undefined);
  // The peer's clock may be behind ours: it is newer all the same.
  store.release(east);
  store.take(told(0, 6n, 500));
  assert.deepEqual(offsets(store), [6n]);
});

test('the time of a site only grows, and is stored every 30 s', async () => {
  const store = new PositionsStore();
  const changes = heard(store);
  for (let at = 0; at <= 60_000; at += 1_000) store.noteAsOf(east, at);
  store.noteAsOf(east, 10);
  assert.equal(changes.length, 61);
  assert.equal((await stored(store)).length, 1);
  store.noteAsOf(east, 80_000);
  assert.equal((await stored(store)).length, 0);
  store.noteAsOf(east, 90_000);
  assert.equal((await stored(store)).length, 1);
});

test('a record of the store that cannot be read is an error that names it', () => {
  const broken = ['{}', 'null', '{"asOfMs":1,"positions":[["t","x",null,0,""]]}', '"'];
  for (const value of broken) {
    const record = { key: Buffer.from('position/1/east/g'), value: Buffer.from(value) };
    assert.throws(() => new PositionsStore().load(record), /record position\/1\/east\/g/);
  }
  const time = { key: Buffer.from('read/1/east'), value: Buffer.from('[]') };
  assert.throws(() => new PositionsStore().load(time), /record read\/1\/east/);
  const other = { key: Buffer.from('home/1/g'), value: null };
  assert.equal(new PositionsStore().load(other), false);
});

test('a change is stored though a reading that says nothing new follows at once', async () => {
  const store = new PositionsStore();
  store.observe(east, 'g', [commit(0, 7n)], 1);
  store.observe(east, 'g', [commit(0, 7n)], 2);
  assert.deepEqual(reloaded(await stored(store)), [7n]);
});

test('a partition that was reset, told by a peer beside one that is the same', async () => {
  const store = new PositionsStore();
  store.take(told(0, 10n, 1));
  store.take(told(1, 10n, 1));
  const before = await stored(store);
  store.take(told(0, 5n, 100_000));
  store.take(told(1, 10n, 100_000));
  assert.deepEqual(reloaded([...before, ...(await stored(store))]), [5n, 10n]);
});

test('what could not be stored is stored the next time, as it is then', async () => {
  const store = new PositionsStore();
  store.observe(east, 'g', [commit(0, 7n)], 1);
  store.noteAsOf(east, 40_000);
  await assert.rejects(store.store(() => Promise.reject(new Error('no broker'))));
  store.observe(east, 'g', [commit(0, 8n)], 2);
  const records = await stored(store);
  assert.deepEqual([records.length, reloaded(records)], [2, [8n]]);
  assert.deepEqual(await stored(store), []);
});
