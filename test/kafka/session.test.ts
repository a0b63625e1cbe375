import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import net from 'node:net';
import { isMeshError } from '../../src/base/errors.ts';
import { openCluster } from '../../src/kafka/session.ts';
import { encodeBatch } from '../../src/records/build-batch.ts';
import { uniqueName } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { until } from '../support/until.ts';
import {
  appendBatch,
  appendRecords,
  makeTopic,
  openTestCluster,
  readAll,
} from '../support/topics.ts';

for (const site of ['east', 'west'] as const) {
  describe(`one cluster (${site})`, () => {
    test('topics are made, described, changed, grown and deleted', async () => {
      await using cluster = await openTestCluster(site);
      const topic = uniqueName('admin');
      await makeTopic(cluster, topic, 2, { 'retention.ms': '86400000' });
      const again = await cluster.createTopics([
        { name: topic, partitions: 1, replicationFactor: 1, configs: {} },
      ]);
      assert.equal(again[0]?.errorCode, 36);
      await cluster.createPartitions(topic, 3);
      const found = await until('the third partition', async () => {
        const known = (await cluster.metadata()).topics.get(topic);
        return known?.partitions.length === 3 && known;
      });
      assert.match(found.topicId, /^[\w-]{22}$/);
      await cluster.alterTopicConfigs(topic, { 'retention.ms': null, 'cleanup.policy': 'compact' });
      await until('the settings to be changed', async () => {
        const own = (await cluster.topicConfigs([topic])).get(topic)?.filter((e) => !e.isDefault);
        return (
          own?.map(({ name, value }) => `${name}=${value}`).join() === 'cleanup.policy=compact'
        );
      });
      const expiry = (await cluster.brokerConfigs(1)).find(
        ({ name }) => name === 'producer.id.expiration.ms',
      );
      assert.equal(expiry?.value, '86400000');
      await cluster.deleteTopics([topic]);
      await assert.rejects(cluster.createPartitions(topic, 9), (error) => isMeshError(error));
    });

    test('records go in and come out; offsets are listed by end, start and time', async () => {
      await using cluster = await openTestCluster(site);
      const topic = uniqueName('io');
      await makeTopic(cluster, topic);
      const now = Date.now();
      const records = ['a', 'b', 'c'].map((text, index) => ({
        key: Buffer.from(text),
        value: index === 1 ? null : Buffer.from(text.repeat(200_000)),
        timestampMs: now + index,
      }));
      await appendRecords(cluster, topic, 0, records.slice(0, 2), 'lz4');
      await appendRecords(cluster, topic, 0, records.slice(2), 'zstd');
      const read = await readAll(cluster, topic, 0);
      assert.deepEqual(
        read.map(({ key, value, timestampMs }) => ({ key, value, timestampMs })),
        records,
      );
      const partition = { topic, partition: 0 };
      const offsets = await Promise.all([
        cluster.listOffsets([partition], 'earliest'),
        cluster.listOffsets([partition], 'latest'),
        cluster.listOffsets([partition], { timestampMs: now + 1 }),
        cluster.listOffsets([{ topic, partition: 7 }], 'latest'),
      ]);
      assert.deepEqual(
        offsets.map(([one]) => [one?.errorCode, one?.offset]),
        [
          [0, 0n],
          [0, 3n],
          [0, 1n],
          [3, -1n],
        ],
      );
    });

    test('many fences at once share a connection, and all are closed with the cluster', async () => {
      const sockets = (): number =>
        process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
      const before = sockets();
      {
        await using cluster = await openTestCluster(site);
        const topic = uniqueName('fences');
        await makeTopic(cluster, topic, 12);
        const fences = Array.from({ length: 12 }, (_, partition) =>
          cluster.fence({
            topic,
            partition,
            transactionalId: `${topic}-${partition}`,
            onProducerId: () => Promise.resolve(),
          }),
        );
        await Promise.all(fences);
        assert.ok(sockets() - before <= 4, `${sockets() - before} connections`);
      }
      await until('all connections to be closed', () => sockets() <= before);
    });

    test('a fence stops the older holder, and its marker is where it says', async () => {
      await using cluster = await openTestCluster(site);
      const topic = uniqueName('fence');
      await makeTopic(cluster, topic);
      const seen: bigint[] = [];
      const request = {
        topic,
        partition: 0,
        transactionalId: `test.${topic}`,
        onProducerId: (id: bigint) => {
          seen.push(id);
          return Promise.resolve();
        },
      };
      const batch = (holder: { producerId: bigint; producerEpoch: number }, baseSequence: number) =>
        encodeBatch([{ key: null, value: Buffer.from('x'), timestampMs: Date.now() }], {
          ...holder,
          baseSequence,
        });
      const first = await cluster.fence(request);
      assert.equal(first.markerOffset, 0n);
      const sent = batch(first, 0);
      assert.equal((await appendBatch(cluster, topic, 0, sent)).baseOffset, 1n);
      const repeated = await appendBatch(cluster, topic, 0, sent);
      assert.deepEqual([repeated.errorCode, repeated.baseOffset], [0, 1n]);
      assert.equal((await appendBatch(cluster, topic, 0, batch(first, 5))).errorCode, 45);
      const second = await cluster.fence(request);
      assert.equal(second.markerOffset, 2n);
      assert.deepEqual([second.producerId, second.producerEpoch], [first.producerId, 1]);
      assert.equal((await appendBatch(cluster, topic, 0, batch(first, 1))).errorCode, 47);
      assert.equal((await appendBatch(cluster, topic, 0, batch(second, 0))).errorCode, 0);
      assert.deepEqual(seen, [first.producerId, first.producerId]);
      const scratch = uniqueName('scratch');
      await makeTopic(cluster, scratch);
      await cluster.keepAlive(request.transactionalId, second, { topic: scratch, partition: 0 });
      assert.equal((await appendBatch(cluster, topic, 0, batch(second, 1))).errorCode, 0);
      await assert.rejects(
        cluster.keepAlive(request.transactionalId, first, { topic: scratch, partition: 0 }),
        (error) => isMeshError(error, 'fenced'),
      );
    });

    test('offsets are committed to an empty group and read back', async () => {
      await using cluster = await openTestCluster(site);
      const group = uniqueName('group');
      const topic = uniqueName('committed');
      await makeTopic(cluster, topic);
      const offsets = [{ topic, partition: 0, offset: 42n, metadata: 'note' }];
      assert.deepEqual(await cluster.groupOffsets(group), []);
      const results = await cluster.commitGroupOffsets(group, offsets);
      assert.deepEqual(results, [{ topic, partition: 0, errorCode: 0 }]);
      const found = await cluster.groupOffsets(group);
      assert.deepEqual(found, [
        { topic, partition: 0, offset: 42n, leaderEpoch: -1, metadata: 'note' },
      ]);
      assert.equal((await cluster.groupMembers(group)).memberCount, 0);
      assert.ok((await cluster.listGroups()).some((one) => one.group === group));
    });
  });
}

describe('a cluster that cannot be reached', () => {
  test('names the broker and what happened', async () => {
    const settings = { name: 'north', brokers: ['localhost:1'], clientId: 'test' };
    await assert.rejects(
      openCluster(settings, testDeps()),
      (error) =>
        isMeshError(error, 'kafka_unavailable') &&
        error.message.includes('localhost:1') &&
        error.message.includes('north'),
    );
  });

  test('a port that takes connections and says nothing is given up in time', async () => {
    const server = net.createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const settings = {
      name: 'north',
      brokers: [`127.0.0.1:${port}`],
      clientId: 'test',
      connectTimeoutMs: 500,
    };
    const from = performance.now();
    await assert.rejects(openCluster(settings, testDeps()), (error) => isMeshError(error));
    assert.ok(performance.now() - from < 5_000);
    server.close();
  });
});
