import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { siteName } from '../../../src/base/ids.ts';
import { ForgottenGroups } from '../../../src/groups/forgotten-groups.ts';
import { Ledger } from '../../../src/groups/ledger.ts';
import { PositionsStore } from '../../../src/groups/positions-store.ts';
import type { GroupOffset } from '../../../src/kafka/cluster.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';
import { testDeps } from '../../support/deps.ts';

const [east, west] = [siteName('east'), siteName('west')];
const hourMs = 3_600_000;
const commit = { topic: 'orders', partition: 0, offset: 5n, leaderEpoch: -1, metadata: '' };
const copied = { topic: 'east.orders', partition: 0, offset: 6n };

/** Agents of west, who keep `billing` of east in step, and the state topic. */
function stage() {
  const log: StateRecord[] = [];
  const append = (records: readonly StateRecord[]): Promise<void> => {
    log.push(...records);
    return Promise.resolve();
  };
  const world = { nowMs: 0, standing: [] as GroupOffset[], onAsked: (): unknown => undefined };
  const store = new PositionsStore();
  const ledger = new Ledger(append);
  const groupOffsets = (): Promise<GroupOffset[]> => {
    world.onAsked();
    return Promise.resolve(world.standing);
  };
  const clock = { ...systemClock, monotonicMs: () => world.nowMs };
  const parts = { store, ledger, cluster: { groupOffsets }, append };
  const groups = new ForgottenGroups(parts, { ...testDeps(), clock });
  const sweepAt = async (hours: number): Promise<void> => {
    world.nowMs = hours * hourMs;
    await groups.sweep();
  };
  return { world, store, ledger, log, append, sweepAt };
}

/** What another agent of the site knows, from the log alone. */
function reloaded(log: readonly StateRecord[]): { store: PositionsStore; ledger: Ledger } {
  const [store, ledger] = [new PositionsStore(), new Ledger(() => Promise.resolve())];
  // As a compacted topic would have it.
  for (const record of log) assert.ok(store.load(record) || ledger.load(record));
  return { store, ledger };
}

test('a group whose commits are gone for a day is forgotten, here and in the state topic', async () => {
  const { world, store, ledger, log, append, sweepAt } = stage();
  store.observe(east, 'billing', [commit], 1);
  store.observe(east, 'audit', [commit], 1);
  await store.store(append);
  await ledger.noteWritten('billing', [copied]);
  for (const record of log) ledger.load(record);
  await sweepAt(1);
  store.observe(east, 'billing', [], 2);
  await store.store(append);
  await sweepAt(2);
  await sweepAt(25);
  assert.deepEqual(store.groups(east), ['billing', 'audit']);
  world.standing = [{ ...copied, leaderEpoch: -1, metadata: '' }];
  await sweepAt(26);
  assert.deepEqual(store.groups(east), ['audit']);
  assert.ok(ledger.hasWritten('billing'), 'what agents wrote still stands there');
  world.standing = [];
  await sweepAt(27);
  assert.equal(ledger.hasWritten('billing'), false);
  const keys = new Map(log.map(({ key, value }) => [key.toString(), value]));
  assert.deepEqual(
    [keys.get('position/1/east/billing'), keys.get('written/1/billing')],
    [null, null],
  );
  const other = reloaded(log);
  assert.equal(other.ledger.hasWritten('billing'), false);
  assert.ok(other.store.has(east, 'audit'));
});

test('one that still commits at another site was seen here too, and stays so', async () => {
  const { store, sweepAt } = stage();
  for (const site of [east, west]) store.observe(site, 'billing', [commit], 1);
  store.observe(east, 'billing', [], 2);
  for (const hours of [1, 30, 60]) await sweepAt(hours);
  assert.ok(store.has(east, 'billing'));
  store.observe(west, 'billing', [], 3);
  for (const hours of [61, 86]) await sweepAt(hours);
  assert.deepEqual([store.has(east, 'billing'), store.has(west, 'billing')], [false, false]);
});

test('a group that commits again in time is kept', async () => {
  const { store, sweepAt } = stage();
  store.observe(east, 'billing', [commit], 1);
  store.observe(east, 'billing', [], 2);
  await sweepAt(1);
  store.observe(east, 'billing', [commit], 3);
  await sweepAt(30);
  store.observe(east, 'billing', [], 4);
  await sweepAt(31);
  await sweepAt(54);
  assert.deepEqual(store.groups(east), ['billing']);
  await sweepAt(55);
  assert.deepEqual(store.groups(east), []);
});

test('what is written while Kafka is asked is remembered', async () => {
  const { world, ledger, log, sweepAt } = stage();
  await ledger.noteWritten('billing', [copied]);
  for (const record of log) ledger.load(record);
  world.onAsked = () => void ledger.noteWritten('billing', [{ ...copied, offset: 7n }]);
  await sweepAt(1);
  assert.ok(ledger.wrote('billing', { ...copied, offset: 7n }));
  assert.ok(log.every(({ value }) => value !== null));
});
