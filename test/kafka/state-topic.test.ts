import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMeshError } from '../../src/base/errors.ts';
import type { NewTopic } from '../../src/kafka/cluster.ts';
import { ensureInternalTopics, stateTopics } from '../../src/kafka/internal-topics.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { openStateLog } from '../../src/kafka/state-topic.ts';
import { uniqueName } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { makeTopic, openTestCluster } from '../support/topics.ts';
import { until } from '../support/until.ts';

test('what is appended is followed from the start, in order, tombstones too, then live', async () => {
  await using cluster = await openTestCluster('east');
  const topic = uniqueName('state');
  await makeTopic(cluster, topic);
  await using log = openStateLog(cluster, topic, testDeps());
  const large = Buffer.alloc(500_000, 'x');
  await log.append([
    { key: Buffer.from('a'), value: large },
    { key: Buffer.from('b'), value: large },
    { key: Buffer.from('a'), value: null },
  ]);
  const stop = new AbortController();
  const seen: string[] = [];
  let synced = -1;
  const following = log.follow(
    {
      onRecords: (records) => {
        for (const { key, value } of records)
          seen.push(`${key.toString()}:${value?.length ?? '-'}`);
      },
      onSynced: () => (synced = seen.length),
    },
    stop.signal,
  );
  await until('the end to be reached', () => synced >= 0);
  assert.equal(synced, 3);
  await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      log.append([{ key: Buffer.from(`k${index}`), value: Buffer.from('v') }]),
    ),
  );
  await until('the live ones', () => seen.length === 53);
  assert.deepEqual(seen.slice(0, 4), ['a:500000', 'b:500000', 'a:-', 'k0:1']);
  stop.abort();
  await following;
});

test('the internal topics are made once, and a wrong shape is refused by name', async () => {
  await using cluster = await openTestCluster('west');
  const options = { replicationFactor: undefined };
  await ensureInternalTopics(cluster, options, testDeps());
  await ensureInternalTopics(cluster, options, testDeps());
  const { topics } = await cluster.metadata();
  for (const name of Object.values(stateTopics))
    assert.equal(topics.get(name)?.partitions.length, 1);
  // Other tests use those topics: what another one is like is told in place of this one.
  const unlike = uniqueName('unlike');
  await makeTopic(cluster, unlike, 1, { 'cleanup.policy': 'delete' });
  const misshaped = {
    name: cluster.name,
    metadata: () => cluster.metadata(),
    topicConfigs: async (names: readonly string[]) => {
      const found = new Map(await cluster.topicConfigs([...names, unlike]));
      found.set(stateTopics.topology, found.get(unlike) ?? []);
      found.delete(unlike);
      return found;
    },
  } as unknown as KafkaCluster;
  await assert.rejects(
    ensureInternalTopics(misshaped, options, testDeps()),
    (error) =>
      isMeshError(error, 'state_corrupt') &&
      error.message.includes('__causeway-topology') &&
      error.message.includes('wanted compact'),
  );
});

test('with too few brokers alive an agent does not begin, and does not end: it waits', async () => {
  await using cluster = await openTestCluster('west');
  const few = (brokers: number): KafkaCluster => {
    const none = {
      name: cluster.name,
      metadata: async () => {
        const found = await cluster.metadata();
        return { brokers: new Map([...found.brokers].slice(0, brokers)), topics: new Map() };
      },
      // By other names, as those are there.
      createTopics: (topics: readonly NewTopic[]) =>
        cluster.createTopics(topics.map((topic) => ({ ...topic, name: uniqueName('few') }))),
    };
    return none as unknown as KafkaCluster;
  };
  const cases: readonly [brokers: number, replicationFactor: number | undefined, RegExp][] = [
    [0, undefined, /^west has no broker that is alive just now$/],
    [1, 9, /^making few-\S+ at west: INVALID_REPLICATION_FACTOR \(38\): .*9/],
  ];
  for (const [brokers, replicationFactor, pattern] of cases) {
    await assert.rejects(
      ensureInternalTopics(few(brokers), { replicationFactor }, testDeps()),
      (error) =>
        isMeshError(error, 'kafka_unavailable') && error.retriable && pattern.test(error.message),
    );
  }
});
