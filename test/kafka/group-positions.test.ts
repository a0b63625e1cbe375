/** Positions read from `__consumer_offsets` are what the group coordinators answer. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import { logPartitionOf } from '../../src/groups/commit-table.ts';
import { brokersOf, kafkaVersions, uniqueName, type TestSite } from '../support/clusters.ts';
import { ReadPositions } from '../support/positions.ts';
import { javaClients, pythonWithConfluentKafka, runClient } from '../support/tools.ts';
import { appendRecords, makeTopic, openTestCluster } from '../support/topics.ts';
import { until } from '../support/until.ts';

const python = path.join(path.dirname(import.meta.dirname), 'clients', 'python');

async function run(command: readonly [string, ...string[]]): Promise<void> {
  const [program, ...args] = command;
  const { code, lines } = await runClient(program, args, 90_000);
  assert.equal(code, 0, lines.join('\n'));
}

async function java(site: TestSite, topic: string, ...steps: string[]): Promise<void> {
  const command = await javaClients(kafkaVersions[site]);
  await run([...command, 'Groups', brokersOf(site).join(), topic, ...steps]);
}

async function consumeWithKafkajs(site: TestSite, topic: string, groupId: string): Promise<void> {
  const { Kafka, logLevel } = kafkajs;
  const kafka = new Kafka({ brokers: brokersOf(site), logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId });
  let found = 0;
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: () => {
      found += 1;
      return Promise.resolve();
    },
  });
  await until('kafkajs to read', () => found >= 20);
  await consumer.disconnect();
}

for (const site of ['east', 'west'] as const) {
  const isNew = site === 'west';

  test(`commits of every client and of transactions, ${kafkaVersions[site]}`, async () => {
    await using cluster = await openTestCluster(site);
    const topic = uniqueName('positions');
    await makeTopic(cluster, topic, 2);
    await makeTopic(cluster, `${topic}-out`);
    for (const partition of [0, 1]) {
      const records = Array.from({ length: 50 }, (_, index) => ({
        key: null,
        value: Buffer.from(String(index)),
        timestampMs: Date.now(), // Retention takes old ones away.
      }));
      await appendRecords(cluster, topic, partition, records);
    }
    await using live = await new ReadPositions(cluster).fromLog();
    const name = (what: string): string => `${topic}-${what}`;
    const steps = [
      `classic:${name('classic')}:30`,
      ...(isNew ? [`consumer:${name('kip848')}:30`] : []),
      `classic:${name('aborted')}:10`,
      `commit:${name('committed')}:20`,
      `abort:${name('aborted')}:20`,
      `open:${name('open')}:20`,
      // What comes behind an open transaction is not held back by it.
      `classic:${name('behind')}:20`,
      `classic:${name('forgotten')}:100`,
      `classic:${name('deleted')}:30`,
    ];
    await java(site, topic, ...steps);
    await run([
      await pythonWithConfluentKafka(),
      path.join(python, 'groups.py'),
      brokersOf(site).join(),
      topic,
      name('librdkafka'),
      '40',
    ]);
    await consumeWithKafkajs(site, topic, name('kafkajs'));
    await cluster.commitGroupOffsets(name('outside'), [
      { topic, partition: 1, offset: 9n, metadata: 'ä note' },
    ]);
    const some = ['classic', ...(isNew ? ['kip848'] : []), 'committed', 'behind', 'librdkafka'];
    const groups = [...some, 'kafkajs', 'outside', 'forgotten', 'deleted', 'aborted'].map(name);
    await live.checkAll([...groups, name('open')]);
    for (const group of groups) assert.ok(live.known(group).length > 0, group);
    assert.deepEqual(live.known(name('open')), []);

    await java(site, topic, `forget:${name('forgotten')}:1`, `delete:${name('deleted')}`);
    await live.checkAll([...groups, name('open')]);
    assert.equal(live.known(name('forgotten')).length, 1);
    const gone = live.store.positions(live.site, name('deleted'));
    assert.ok(gone.length > 0 && gone.every(({ offset }) => offset === undefined));

    // Read from the start by another agent: the same.
    await using later = await new ReadPositions(cluster).fromLog();
    for (const group of groups) assert.deepEqual(later.known(group), live.known(group), group);
    const every = (await cluster.listGroups()).map(({ group }) => group);
    await later.checkAll(every);
  });

  test(`a group is looked for where its coordinator keeps it, ${kafkaVersions[site]}`, async () => {
    await using cluster = await openTestCluster(site);
    const topic = uniqueName('placed');
    await makeTopic(cluster, topic);
    await using live = await new ReadPositions(cluster).fromLog();
    const log = await cluster.topicMetadata('__consumer_offsets');
    assert.equal(log?.partitions.length, 50);
    for (const group of ['a', 'grün', '日本語 group', '😀', 'polygenelubricants'].map(uniqueName)) {
      const at = [{ topic: '__consumer_offsets', partition: logPartitionOf(group, 50) }];
      const [before] = await cluster.listOffsets(at, 'latest');
      await cluster.commitGroupOffsets(group, [{ topic, partition: 0, offset: 5n, metadata: '' }]);
      const [after] = await cluster.listOffsets(at, 'latest');
      assert.ok(after!.offset > before!.offset, group);
      assert.equal((await live.refreshed(group)).length, 1);
    }
  });
}
