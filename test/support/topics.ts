/** Writing to and reading from real topics through our own connections, record by record. */
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { openCluster } from '../../src/kafka/session.ts';
import { encodeBatch, type PlainRecord } from '../../src/records/build-batch.ts';
import type { Codec } from '../../src/records/codecs.ts';
import type { DecodedRecord } from '../../src/records/decode-records.ts';
import { brokersOf, type TestSite } from './clusters.ts';
import { testDeps } from './deps.ts';
import { readLog } from './read-log.ts';
import { until } from './until.ts';

export function openTestCluster(site: TestSite): Promise<KafkaCluster> {
  return openCluster(
    { name: site, brokers: brokersOf(site), clientId: 'causeway-test' },
    testDeps(),
  );
}

export async function makeTopic(
  cluster: KafkaCluster,
  name: string,
  partitions = 1,
  configs: Record<string, string> = {},
  replicationFactor = 1,
): Promise<void> {
  const [result] = await cluster.createTopics([{ name, partitions, replicationFactor, configs }]);
  if (result?.errorCode !== 0) throw new Error(`${name}: ${result?.errorMessage ?? 'no answer'}`);
  await until(`leaders of ${name}`, async () => {
    const found = (await cluster.metadata()).topics.get(name);
    return found?.partitions.length === partitions && found.partitions.every((p) => p.leader >= 0);
  });
}

async function leaderOf(cluster: KafkaCluster, topic: string, partition: number): Promise<number> {
  const found = (await cluster.metadata()).topics.get(topic)?.partitions[partition];
  if (found === undefined) throw new Error(`no ${topic}/${partition}`);
  return found.leader;
}

/** Appends one batch; returns its base offset. */
export async function appendBatch(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
  batch: Buffer,
): Promise<{ errorCode: number; baseOffset: bigint }> {
  await using link = await cluster.openLink(await leaderOf(cluster, topic, partition), 'test');
  const [answer] = await link.produce({
    batches: [{ topic, partition, batch }],
    timeoutMs: 20_000,
  });
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

export async function appendRecords(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
  records: readonly PlainRecord[],
  codec: Codec = 'none',
): Promise<void> {
  const batch = encodeBatch(records, { codec });
  await until(`records to be taken by ${topic}/${partition}`, async () => {
    const { errorCode } = await appendBatch(cluster, topic, partition, batch);
    // A partition that was just made: its leader may not know yet that it is.
    if (errorCode !== 0 && errorCode !== 3 && errorCode !== 5 && errorCode !== 6) {
      throw new Error(`append: Kafka error ${errorCode}`);
    }
    return errorCode === 0;
  });
}

/** Every record of a partition from the start to its end as it is now; markers are left out. */
export async function readAll(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
): Promise<DecodedRecord[]> {
  const records: DecodedRecord[] = [];
  for await (const batch of readLog(cluster, topic, partition)) {
    if (!batch.isControl) records.push(...batch.records);
  }
  return records;
}
