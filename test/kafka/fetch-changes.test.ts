/** Fetches whose answers leave out what did not change, at each version of Kafka. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { BrokerLink, FetchPartition, FetchResponse } from '../../src/kafka/cluster.ts';
import { uniqueName } from '../support/clusters.ts';
import { appendRecords, makeTopic, openTestCluster } from '../support/topics.ts';
import { until } from '../support/until.ts';

const records = [{ key: null, value: Buffer.from('x'), timestampMs: 1 }];

interface Answered {
  readonly partitions: readonly { partition: number; bytes: number; end: number; error: number }[];
  readonly areOthersUnchanged: boolean;
}

async function ask(link: BrokerLink, partitions: readonly FetchPartition[]): Promise<Answered> {
  const limits = { minBytes: 1, maxBytes: 1024 * 1024, maxWaitMs: 300 } as const;
  const isolation = 'read_committed' as const;
  const response = await link.fetch({ partitions, ...limits, isolation, onlyChanges: true });
  const found = answeredOf(response);
  response.release();
  return found;
}

function answeredOf({ partitions, areOthersUnchanged }: FetchResponse): Answered {
  const told = partitions.map(({ partition, records: given, lastStableOffset, errorCode }) => {
    return { partition, bytes: given.length, end: Number(lastStableOffset), error: errorCode };
  });
  return { partitions: told.sort((a, b) => a.partition - b.partition), areOthersUnchanged };
}

for (const site of ['east', 'west'] as const) {
  test(`${site}: an answer brings what changed, and what it leaves out did not`, async () => {
    await using cluster = await openTestCluster(site);
    const topic = uniqueName('changes');
    await makeTopic(cluster, topic, 3);
    const idOf = async (): Promise<string> => {
      return (await cluster.metadata()).topics.get(topic)?.topicId ?? '';
    };
    let topicId = await idOf();
    const at = (...offsets: (number | undefined)[]): FetchPartition[] =>
      offsets.flatMap((offset, partition) => {
        if (offset === undefined) return [];
        return [{ topic, topicId, partition, offset: BigInt(offset), bytesMax: 1024 }];
      });
    const broker = [...(await cluster.metadata()).brokers.keys()][0] ?? -1;
    await using link = await cluster.openLink(broker, 'fetch');
    const quiet: Answered = { partitions: [], areOthersUnchanged: true };

    const first = await ask(link, at(0, 0, 0));
    assert.deepEqual(first.partitions.length, 3);
    // Leaders may be said to lead before they do.
    const isQuiet = async (): Promise<boolean> => {
      return isDeepStrictEqual(await ask(link, at(0, 0, 0)), quiet);
    };
    await until('leaders', isQuiet);

    await appendRecords(cluster, topic, 1, records);
    const added = await ask(link, at(0, 0, 0));
    assert.deepEqual(
      added.partitions.map(({ partition, end }) => [partition, end]),
      [[1, 1]],
    );
    assert.ok((added.partitions[0]?.bytes ?? 0) > 0);
    // Asked for at the same offset once more, it is given once more.
    assert.deepEqual(await ask(link, at(0, 0, 0)), added);
    assert.deepEqual(await ask(link, at(0, 1, 0)), quiet);

    // What is not asked for any more is not told, and is told when it is asked for again.
    await appendRecords(cluster, topic, 2, records);
    assert.deepEqual(await ask(link, at(0, 1)), quiet);
    const again = await ask(link, at(0, 1, 0));
    assert.deepEqual(
      again.partitions.map(({ partition, end }) => [partition, end]),
      [[2, 1]],
    );

    // Another life of the topic is another topic.
    assert.deepEqual(await ask(link, at(0, 1, 1)), quiet);
    await cluster.deleteTopics([topic]);
    await until('it to be gone', async () => {
      const { partitions } = await ask(link, at(0, 1, 1));
      return partitions.length > 0 && partitions.every(({ error }) => error !== 0);
    });
    await makeTopic(cluster, topic, 3);
    const before = topicId;
    topicId = await idOf();
    assert.notEqual(topicId, before);
    const anew = await ask(link, at(0, 0, 0));
    assert.deepEqual(
      anew.partitions.map(({ partition }) => partition),
      [0, 1, 2],
    );
    await until('its leaders', isQuiet);
  });
}
