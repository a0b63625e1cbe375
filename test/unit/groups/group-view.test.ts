import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import type { GroupCluster } from '../../../src/groups/group-ports.ts';
import { GroupView } from '../../../src/groups/group-view.ts';
import { Ledger } from '../../../src/groups/ledger.ts';
import { resolveMode } from '../../../src/groups/mode.ts';
import { PositionsStore } from '../../../src/groups/positions-store.ts';
import { Translator } from '../../../src/groups/translator.ts';
import { openMapBook } from '../../../src/offsets/open-map-book.ts';
import { parseTopology } from '../../../src/topology/parse.ts';
import { testDeps } from '../../support/deps.ts';

const url = new URL('../../../topology/pair.yaml', import.meta.url);
const topology = parseTopology(readFileSync(url, 'utf8'), 'pair.yaml');
const [east, west] = [siteName('east'), siteName('west')];
const invalidRequest = 42;

/** West's Kafka, whose copies begin at 50: as Kafka does, it refuses what is asked for twice. */
const cluster: GroupCluster = {
  listOffsets: (asked) =>
    Promise.resolve(
      asked.map(({ topic, partition }) => {
        const same = asked.filter((one) => one.topic === topic && one.partition === partition);
        const at = { topic, partition, leaderEpoch: -1, timestampMs: -1 };
        return same.length > 1
          ? { ...at, offset: -1n, errorCode: invalidRequest }
          : { ...at, offset: 50n, errorCode: 0 };
      }),
    ),
  listGroups: () => Promise.resolve([]),
  groupOffsets: () => Promise.resolve([]),
  groupMembers: (group) => Promise.resolve({ group, memberCount: 0, state: 'Empty' }),
  commitGroupOffsets: () => Promise.resolve([]),
};

function viewOf(maps: ReturnType<typeof openMapBook>, store: PositionsStore): GroupView {
  return new GroupView(
    {
      site: west,
      topology: () => topology,
      translator: () => new Translator({ topology, maps }),
      cluster,
      liveness: (site) => ({
        site,
        kafkaReachable: true,
        kafkaRefusedSinceMs: undefined,
        agentsConnected: 1,
        agentSilentSinceMs: undefined,
      }),
      remoteCluster: () => undefined,
      store,
      ledger: new Ledger(() => Promise.resolve()),
      modeOf: (group) => resolveMode(topology, group, { home: undefined, seenAt: () => [] }),
      overlap: () => [],
      reader: () => undefined,
    },
    testDeps(),
  );
}

test('several positions in one partition: none is below where the copy begins now', async () => {
  const maps = openMapBook();
  const writer = maps.writer({ flow: 'east->west', topic: 'orders', partition: 0, generation: 1 });
  writer.begin(1, { source: 0, target: 1 }, true);
  writer.append({ sourceOffset: 0, targetOffset: 1, length: 100 });
  const view = viewOf(maps, new PositionsStore());
  const positions = [10n, 60n, 20n].map((offset) => ({ topic: 'orders', partition: 0, offset }));
  const answer = await view.translate({ group: 'any', from: east, to: west, positions });
  assert.deepEqual(
    answer.positions.map(({ target, certainty, reason }) => [target.offset, certainty, reason]),
    [
      [50n, 'lower_bound', 'before_map'],
      [61n, 'exact', 'in_run'],
      [50n, 'lower_bound', 'before_map'],
    ],
  );
});

test('a commit of an earlier life of the topic is translated as such, in plans too', async () => {
  const maps = openMapBook();
  const id = { flow: 'east->west', topic: 'orders', partition: 0 };
  const before = maps.writer({ ...id, generation: 1 });
  before.begin(1, { source: 0, target: 0 }, true);
  before.append({ sourceOffset: 0, targetOffset: 0, length: 150 });
  const now = maps.writer({ ...id, generation: 2 });
  // Cut off at 100 by an unclean election, in epoch 5, and written anew.
  now.begin(2, { source: 100, target: 151 }, true);
  now.append({ sourceOffset: 100, targetOffset: 151, length: 300 });
  now.setFirstRead({ epoch: 5, source: 100 });
  now.setFirstTarget(151);
  const store = new PositionsStore();
  const at = { topic: 'orders', partition: 0, metadata: '' };
  store.observe(east, 'billing', [{ ...at, offset: 140n, leaderEpoch: 4 }], 10);
  const view = viewOf(maps, store);
  const request = { group: 'billing', from: east, to: west };
  const { answer } = await view.facts({ ...request, overwrite: false });
  const translated = await view.translate({ ...request, positions: [] });
  for (const { positions } of [answer, translated]) {
    assert.deepEqual(
      positions.map(({ target, certainty, reason }) => [target.offset, certainty, reason]),
      [[151n, 'lower_bound', 'generation_changed']],
    );
  }
});
