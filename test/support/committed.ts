/** Where groups stand at a cluster, by what their coordinators answer. */
import type { KafkaCluster } from '../../src/kafka/session.ts';

/** By `topic/partition`. */
export async function committedAt(
  cluster: KafkaCluster,
  group: string,
): Promise<Record<string, number>> {
  const found = await cluster.groupOffsets(group);
  return Object.fromEntries(
    found
      .filter(({ offset }) => offset >= 0n)
      .map(({ topic, partition, offset }) => [`${topic}/${partition}`, Number(offset)]),
  );
}
