/**
 * Compares a topic and its copy in full, record by record, both read as they stand in the logs:
 * nothing lost, nothing twice, order kept, nothing changed but the stamp at the end.
 */
import type { KafkaCluster } from '../../src/kafka/session.ts';
import type { DecodedRecord } from '../../src/records/decode-records.ts';
import { originKey } from '../../src/records/origin.ts';
import { readLog } from '../support/read-log.ts';

/** Records of one partition in order; a record is valid until the next one. */
export async function* records(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
): AsyncGenerator<DecodedRecord> {
  for await (const batch of readLog(cluster, topic, partition, false)) {
    if (!batch.isControl) yield* batch.records;
  }
}

function isSame(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

function difference(source: DecodedRecord, copy: DecodedRecord, stamp: string): string | undefined {
  if (!isSame(source.key, copy.key)) return 'key';
  if (!isSame(source.value, copy.value)) return 'value';
  if (source.timestampMs !== copy.timestampMs) return 'timestamp';
  const own = copy.headers.slice(0, source.headers.length);
  const isKept = source.headers.every((header, at) => {
    const found = own[at];
    return (
      found !== undefined && isSame(found.key, header.key) && isSame(found.value, header.value)
    );
  });
  if (!isKept) return 'headers';
  if (stamp === '')
    return copy.headers.length === source.headers.length ? undefined : 'header count';
  const last = copy.headers.at(-1);
  const isStamped =
    copy.headers.length === source.headers.length + 1 &&
    last?.key.toString() === originKey &&
    last.value?.toString() === stamp;
  return isStamped ? undefined : `stamp, wanted ${stamp}`;
}

/**
 * @param isStamped false for the pass lane, which adds nothing
 * @returns how many records were compared
 * @throws Error at the first difference
 */
export async function compareTopics(
  source: { readonly cluster: KafkaCluster; readonly topic: string; readonly site: string },
  target: { readonly cluster: KafkaCluster; readonly topic: string },
  isStamped: boolean,
): Promise<number> {
  const found = (await source.cluster.metadata()).topics.get(source.topic)?.partitions ?? [];
  let compared = 0;
  for (const { partition } of found) {
    const copies = records(target.cluster, target.topic, partition);
    for await (const record of records(source.cluster, source.topic, partition)) {
      const where = `${source.site}/${source.topic}/${partition}@${record.offset}`;
      const next = await copies.next();
      if (next.done === true) throw new Error(`${where} is not at the target`);
      const differing = difference(record, next.value, isStamped ? where : '');
      if (differing !== undefined) {
        throw new Error(`${where} and target@${next.value.offset} differ in ${differing}`);
      }
      compared += 1;
    }
    const more = await copies.next();
    if (more.done !== true) throw new Error(`target@${more.value.offset} is nobody's copy`);
  }
  return compared;
}
