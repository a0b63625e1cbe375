/**
 * Reads whole topics for the checkers, from any cluster. What counts as committed is found out by
 * following the markers in the log itself, not by the list of aborted transactions that flows go
 * by: so a mistake in one shows against the other.
 */
import { openCluster } from '../../src/kafka/session.ts';
import type { DecodedBatch, DecodedRecord } from '../../src/records/decode-records.ts';
import { testDeps } from './deps.ts';
import { readLog } from './read-log.ts';

export type ReadIsolation = 'committed' | 'uncommitted';

/** The records of each partition, by its number, from the log's start to its end as of now. */
export async function readTopic(
  brokers: readonly string[],
  topic: string,
  isolation: ReadIsolation = 'committed',
): Promise<DecodedRecord[][]> {
  const settings = { name: 'test', brokers, clientId: 'causeway-test' };
  await using cluster = await openCluster(settings, testDeps());
  const found = (await cluster.metadata()).topics.get(topic);
  if (found === undefined) throw new Error(`${brokers.join()} has no topic ${topic}`);
  const read: DecodedRecord[][] = [];
  for (const { partition } of found.partitions) {
    const batches: DecodedBatch[] = [];
    for await (const batch of readLog(cluster, topic, partition)) batches.push(batch);
    read[partition] = recordsOf(batches, isolation);
  }
  return read;
}

/** Records of data; of transactions only those with a commit marker behind them, when committed. */
export function recordsOf(
  batches: readonly DecodedBatch[],
  isolation: ReadIsolation,
): DecodedRecord[] {
  const records: DecodedRecord[] = [];
  const open = new Map<bigint, DecodedRecord[]>();
  for (const batch of batches) {
    if (batch.isControl) {
      const marked = open.get(batch.producerId) ?? [];
      open.delete(batch.producerId);
      if (isCommit(batch)) records.push(...marked);
    } else if (batch.isTransactional && isolation === 'committed') {
      open.set(batch.producerId, [...(open.get(batch.producerId) ?? []), ...batch.records]);
    } else records.push(...batch.records);
  }
  return records.sort((one, other) => one.offset - other.offset);
}

/** The key of a marker is `version int16, type int16`; 1 is a commit. */
function isCommit({ records: [marker] }: DecodedBatch): boolean {
  return marker?.key?.readInt16BE(2) === 1;
}
