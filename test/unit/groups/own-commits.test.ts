import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import type { GroupHome, HomeState } from '../../../src/groups/answer.ts';
import type { GroupCluster } from '../../../src/groups/group-ports.ts';
import { Ledger } from '../../../src/groups/ledger.ts';
import { resolveMode } from '../../../src/groups/mode.ts';
import { OwnCommits } from '../../../src/groups/own-commits.ts';
import { testDeps } from '../../support/deps.ts';
import { twoSites } from '../../support/topologies.ts';

const [east, west] = [siteName('east'), siteName('west')];
const topology = twoSites(
  'defaults: {groups: {modes: {billing: {mode: single, home: east}, audit: {mode: everywhere}}}}',
);
const at = { topic: 'orders', partition: 0 };

/** What stands at that site is `orders/0@5`. */
function stage(site: typeof east) {
  const ledger = new Ledger(() => Promise.resolve());
  const cluster: GroupCluster = {
    listOffsets: () => Promise.resolve([]),
    listGroups: () => Promise.resolve([]),
    groupOffsets: () => Promise.resolve([{ ...at, offset: 5n, leaderEpoch: 3, metadata: '' }]),
    groupMembers: (group) => Promise.resolve({ group, memberCount: 0, state: '' }),
    commitGroupOffsets: () => Promise.resolve([]),
  };
  const modeOf = (group: string) =>
    resolveMode(topology, group, { home: ledger.home(group), seenAt: () => [] });
  const own = new OwnCommits({ site, cluster, logTopic: 'state', ledger, modeOf }, testDeps());
  return { ledger, own };
}

describe('whose commit it is', () => {
  test("at the group's home: its own, also where agents had put it there", async () => {
    const { ledger, own } = stage(east);
    await ledger.noteWritten('billing', [{ ...at, offset: 5n }]);
    assert.equal(own.originOf('billing', { ...at, offset: 5n }), 'own');
  });

  for (const group of ['billing', 'new']) {
    test(`elsewhere, of ${group}: ours by the ledger, and else to be asked about`, async () => {
      const { ledger, own } = stage(west);
      assert.equal(own.originOf(group, { ...at, offset: 5n }), 'foreign');
      await ledger.noteWritten(group, [{ ...at, offset: 5n }]);
      assert.equal(own.originOf(group, { ...at, offset: 5n }), 'ours');
      assert.equal(own.originOf(group, { ...at, offset: 6n }), 'foreign');
    });
  }

  test('of a group that agents never write: its own, unless they once did', async () => {
    const { ledger, own } = stage(west);
    assert.equal(own.originOf('audit', { ...at, offset: 5n }), 'own');
    await ledger.noteWritten('audit', [{ ...at, offset: 5n }]);
    assert.equal(own.originOf('audit', { ...at, offset: 5n }), 'ours');
  });
});

test('a ledger whose end is not known is not taken for heard', async () => {
  const { own } = stage(west);
  await assert.rejects(own.ledgerHeard(), /end of state: Kafka error none, wanted an offset/);
});

describe('a home that is another site now', () => {
  const rival = { site: east, left: [], overlap: [], isDeclared: true };

  async function after(state: HomeState): Promise<boolean> {
    const { ledger, own } = stage(east);
    const home: GroupHome = { site: west, epoch: 2, state, rival };
    await ledger.setHome('billing', home);
    own.noteMoved('billing');
    const left: string[] = [];
    await own.leaveHomes((group) => left.push(group));
    assert.deepEqual(left, ['billing']);
    return ledger.isOurs('billing', { ...at, offset: 5n });
  }

  for (const [state, isOurs] of [
    ['moved', true],
    ['provisional', false],
    ['contested', false],
  ] as const) {
    test(`${state}: what was committed here ${isOurs ? 'is ours' : "stays the group's"}`, async () => {
      assert.equal(await after(state), isOurs);
    });
  }
});
