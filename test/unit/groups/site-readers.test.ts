import assert from 'node:assert/strict';
import { test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import { PositionsStore } from '../../../src/groups/positions-store.ts';
import { SiteReaders } from '../../../src/groups/site-readers.ts';
import { testDeps } from '../../support/deps.ts';
import { FakeOffsetsLog } from '../../support/fake-offsets-log.ts';
import { until } from '../../support/until.ts';

const [east, west] = [siteName('east'), siteName('west')];

test('while no agent of a site answers, its positions are read from its Kafka', async () => {
  const store = new PositionsStore();
  const log = new FakeOffsetsLog();
  log.commit({ group: 'at home', offset: 5n });
  log.commit({ group: 'elsewhere', offset: 5n });
  let agentsConnected = 1;
  let cluster: FakeOffsetsLog | undefined = log;
  const readers = new SiteReaders(
    {
      site: west,
      cluster: new FakeOffsetsLog(),
      store,
      isFollowed: () => true,
      origin: () => 'own',
      settle: () => Promise.resolve(),
      otherSites: () => [east],
      liveness: (site) => ({
        site,
        kafkaReachable: true,
        kafkaRefusedSinceMs: undefined,
        agentsConnected,
        agentSilentSinceMs: agentsConnected > 0 ? undefined : 0,
      }),
      remoteCluster: () => cluster,
      homeOf: (group) =>
        group === 'elsewhere' ? { site: west, epoch: 1, state: 'moved' } : undefined,
    },
    testDeps(),
  );
  const stop = new AbortController();
  const running = readers.run(stop.signal);
  const told = (offset: bigint, asOfMs: number): void => {
    const at = { topic: 'orders', partition: 0, leaderEpoch: -1, metadata: '' };
    store.take({ site: east, group: 'at home', offset, asOfMs, ...at });
  };
  const offset = (): bigint | undefined => store.position(east, 'at home', 'orders/0')?.offset;

  // An agent answers: what it says counts, and nothing is read.
  told(4n, 1_000);
  await until('the own log', () => readers.sources()[0]?.mode === 'log');
  assert.deepEqual([readers.sources().length, offset()], [1, 4n]);

  agentsConnected = 0;
  await until('the log of the other site', () => offset() === 5n);
  assert.deepEqual(store.groups(east), ['at home']);
  log.commit({ group: 'at home', offset: 6n });
  await until('a commit there', () => offset() === 6n);
  assert.deepEqual(
    readers.sources().map(({ site, mode }) => `${site} ${mode}`),
    ['west log', 'east log'],
  );

  // Its Kafka is away too: what is known stays known.
  cluster = undefined;
  await until('the reader to be gone', () => readers.reader(east) === undefined);
  assert.equal(offset(), 6n);

  cluster = log;
  await until('the reader to be back', () => readers.reader(east) !== undefined);
  agentsConnected = 1;
  await until('the reader to be gone again', () => readers.reader(east) === undefined);
  told(7n, 500);
  assert.equal(offset(), 7n);
  stop.abort();
  await running;
});
