import assert from 'node:assert/strict';
import { test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import { fromGroupUpdate, toGroupUpdate } from '../../../src/client/convert-groups.ts';
import { Ledger } from '../../../src/groups/ledger.ts';
import { PositionsStore } from '../../../src/groups/positions-store.ts';
import type { GroupUpdate } from '../../../src/groups/updates.ts';
import { watchGroups } from '../../../src/groups/watch-groups.ts';

const [east, west] = [siteName('east'), siteName('west')];

test('a peer that only listens knows the same, and never a time before what was known by then', async () => {
  const store = new PositionsStore();
  const stop = new AbortController();
  const ledger = new Ledger(() => Promise.resolve());
  const commit = (group: string, offset: bigint, asOfMs: number): void => {
    const at = { topic: 'orders', partition: 0, leaderEpoch: -1, metadata: '' };
    store.change(east, group, [{ ...at, offset }], asOfMs);
  };
  // More than one message holds.
  for (let index = 0; index < 1_200; index += 1) commit(`g${index}`, 1n, 10);
  store.change(
    west,
    'other',
    [{ topic: 't', partition: 0, offset: 1n, leaderEpoch: -1, metadata: '' }],
    10,
  );
  store.noteAsOf(east, 20);
  const peer = new PositionsStore();
  let round = 1;
  let synced = 0;
  for await (const updates of watchGroups(east, store, ledger, stop.signal)) {
    for (const sent of updates) {
      const update: GroupUpdate | undefined = fromGroupUpdate(toGroupUpdate(sent));
      assert.deepEqual(update, sent);
      if (update.kind === 'position') peer.take(update.position);
      if (update.kind === 'synced') synced += 1;
      if (update.kind === 'as_of') {
        peer.takeAsOf(update.site, update.asOfMs);
        for (const group of store.groups(east)) {
          assert.deepEqual(peer.positions(east, group), store.positions(east, group));
        }
      }
    }
    if (peer.siteAsOfMs(east) !== round * 20) continue;
    if (round === 3) break;
    round += 1;
    for (let index = 0; index < 700; index += 1) commit(`g${index}`, BigInt(round), round * 20 - 1);
    store.noteAsOf(east, round * 20);
    commit('g0', 100n * BigInt(round), round * 20 + 1);
  }
  stop.abort();
  assert.equal(synced, 1);
  assert.deepEqual(peer.positions(west, 'other'), []);
  assert.equal(peer.asOfMs(east, 'g1100'), 60);
});
