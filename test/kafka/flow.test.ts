import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PlainRecord } from '../../src/records/build-batch.ts';
import type { Codec } from '../../src/records/codecs.ts';
import type { DecodedRecord } from '../../src/records/decode-records.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { uniqueName, type TestSite } from '../support/clusters.ts';
import { newStateTopic, startFlow } from '../support/flows.ts';
import { appendRecords, makeTopic, openTestCluster, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

function numbered(from: number, count: number): PlainRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    key: Buffer.from(`key ${from + index}`),
    value: index % 7 === 3 ? null : Buffer.from(`value ${from + index} `.repeat(index % 9)),
    timestampMs: Date.now(),
    headers: [{ key: Buffer.from('h'), value: index % 2 === 0 ? null : Buffer.from([index]) }],
  }));
}

/** The copy, without our header, is the source; the header names the very record. */
async function assertCopied(
  source: KafkaCluster,
  target: KafkaCluster,
  site: TestSite,
  topic: string,
  partition: number,
): Promise<void> {
  const born = await readAll(source, topic, partition);
  const copied = await readAll(target, `${site}.${topic}`, partition);
  const plain = (record: DecodedRecord, headers: DecodedRecord['headers']): unknown[] => [
    record.key?.toString(),
    record.value?.toString(),
    record.timestampMs,
    headers.map(({ key, value }) => [key.toString(), value]),
  ];
  assert.deepEqual(
    copied.map((record) => plain(record, record.headers.slice(0, -1))),
    born.map((record) => plain(record, record.headers)),
  );
  assert.deepEqual(
    copied.map(({ headers }) => headers.at(-1)?.value?.toString()),
    born.map(({ offset }) => `${site}/${topic}/${partition}@${offset}`),
  );
}

async function copied(target: KafkaCluster, topic: string, partition: number): Promise<number> {
  const found = (await target.metadata()).topics.get(topic)?.partitions[partition];
  if (found === undefined || found.leader < 0) return 0;
  return (await readAll(target, topic, partition)).length;
}

for (const [from, to] of [
  ['east', 'west'],
  ['west', 'east'],
] as const) {
  describe(`a flow ${from}->${to}`, () => {
    test('carries every codec, new topics and new partitions from their first record', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('copied');
      await makeTopic(source, topic, 2);
      for (const [index, codec] of codecs.entries()) {
        await appendRecords(source, topic, index % 2, numbered(index * 100, 50), codec);
      }
      await using running = await startFlow({ from, to, topics: `${topic}.*` });
      await until(
        'the first records',
        async () => (await copied(target, `${from}.${topic}`, 0)) === 150,
      );
      const second = `${topic}-second`;
      await makeTopic(source, second, 1);
      await appendRecords(source, second, 0, numbered(0, 20), 'zstd');
      await source.createPartitions(topic, 3);
      await until('the third partition', async () => {
        return ((await source.metadata()).topics.get(topic)?.partitions.length ?? 0) === 3;
      });
      await appendRecords(source, topic, 2, numbered(500, 20), 'lz4');
      await until(
        'the new topic',
        async () => (await copied(target, `${from}.${second}`, 0)) === 20,
      );
      await until(
        'the new partition',
        async () => (await copied(target, `${from}.${topic}`, 2)) === 20,
      );
      for (const partition of [0, 1, 2]) await assertCopied(source, target, from, topic, partition);
      await assertCopied(source, target, from, second, 0);
      await until('no lag', () => running.flow.status().state === 'current');
      assert.deepEqual(running.events, []);
    });

    test('goes on where the target stands: after a restart, and with all of its state lost', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('resumed');
      await makeTopic(source, topic);
      const stateTopic = await newStateTopic(to);
      let produced = 0;
      for (const round of [0, 1, 2, 3]) {
        // The last round has no map, only the ids of our producers: see the next test for neither.
        const running = await startFlow({ from, to, topics: topic, stateTopic });
        await appendRecords(source, topic, 0, numbered(produced, 500), codecs[round] ?? 'none');
        produced += 500;
        await until(
          `round ${round}`,
          async () => (await copied(target, `${from}.${topic}`, 0)) >= produced - 250,
        );
        await running[Symbol.asyncDispose]();
      }
      await using running = await startFlow({ from, to, topics: topic, stateTopic });
      await until('all', async () => (await copied(target, `${from}.${topic}`, 0)) >= produced);
      await assertCopied(source, target, from, topic, 0);
      const reader = await until('the map', () => {
        const found = running.maps.book.reader(`${from}->${to}`, topic, 0);
        return found?.frontier?.scannedEnd === produced && found;
      });
      const records = await readAll(target, `${from}.${topic}`, 0);
      for (const [sourceOffset, record] of records.entries()) {
        const there = reader.forward(BigInt(sourceOffset));
        assert.deepEqual([there.offset, there.certainty], [BigInt(record.offset), 'exact']);
        const back = reader.inverse(BigInt(record.offset));
        assert.deepEqual([back.offset, back.certainty], [BigInt(sourceOffset), 'exact']);
      }
    });

    test('two agents for one partition: the older is fenced, nothing is written twice', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('fought');
      await makeTopic(source, topic);
      const stateTopic = await newStateTopic(to);
      // Groups of their own: both hold every slot, as a frozen agent that wakes up believes.
      await using first = await startFlow({ from, to, topics: topic, stateTopic, mesh: 'fight' });
      await appendRecords(source, topic, 0, numbered(0, 100));
      await until('the first', async () => (await copied(target, `${from}.${topic}`, 0)) === 100);
      await using second = await startFlow({ from, to, topics: topic, stateTopic, mesh: 'fight' });
      for (let batch = 1; batch <= 30; batch += 1) {
        await appendRecords(source, topic, 0, numbered(batch * 100, 100), 'lz4');
      }
      await until(
        'all',
        async () => (await copied(target, `${from}.${topic}`, 0)) >= 3_100,
        40_000,
      );
      await assertCopied(source, target, from, topic, 0);
      assert.ok(
        first.flow.status().partitions.length + second.flow.status().partitions.length === 2,
      );
    });
  });
}

test('a remote topic that holds records of somebody else is left alone, and says so', async () => {
  await using source = await openTestCluster('east');
  await using target = await openTestCluster('west');
  const topic = uniqueName('foreign');
  await makeTopic(source, topic);
  await appendRecords(source, topic, 0, numbered(0, 10));
  await makeTopic(target, `east.${topic}`);
  await appendRecords(target, `east.${topic}`, 0, numbered(0, 1));
  await using running = await startFlow({ from: 'east', to: 'west', topics: topic });
  const paused = await until('the pause', () =>
    running.flow.status().partitions.find(({ state }) => state === 'paused'),
  );
  assert.match(paused.why, /holds records that no agent of this mesh wrote/);
  assert.equal(running.flow.status().state, 'blocked');
  assert.equal(await copied(target, `east.${topic}`, 0), 1);
});
