/**
 * Reads everything on both sides and compares it with what producers were promised and readers
 * saw.
 */
import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/base/log.ts';
import { MetricRegistry } from '../src/base/metrics.ts';
import { openCluster } from '../src/kafka/session.ts';
import { readLog } from '../test/support/read-log.ts';

/** Values of a partition in the order of the log. */
export type PartitionValues = ReadonlyMap<number, readonly string[]>;

export async function readTopic(
  site: string,
  brokers: readonly string[],
  topic: string,
): Promise<PartitionValues> {
  const deps = { clock: systemClock, log: silentLog, metrics: new MetricRegistry() };
  await using cluster = await openCluster({ name: site, brokers, clientId: 'demo-check' }, deps);
  const partitions = (await cluster.metadata()).topics.get(topic)?.partitions ?? [];
  const values = new Map<number, readonly string[]>();
  for (const { partition } of partitions) {
    const found: string[] = [];
    for await (const batch of readLog(cluster, topic, partition)) {
      if (!batch.isControl)
        found.push(...batch.records.map(({ value }) => value?.toString() ?? ''));
    }
    values.set(partition, found);
  }
  return values;
}

export interface CopyVerdict {
  readonly produced: number;
  readonly crossed: number;
  readonly lost: number;
  readonly twice: number;
  readonly outOfOrder: number;
}

/**
 * What was acknowledged at the source must be in the source's log, and in the copy once, in
 * order.
 */
export function judgeCopy(
  acknowledged: readonly string[],
  source: PartitionValues,
  copy: PartitionValues,
): CopyVerdict {
  const copied = new Map<string, number>();
  for (const values of copy.values()) {
    for (const value of values) copied.set(value, (copied.get(value) ?? 0) + 1);
  }
  const written = new Set([...source.values()].flat());
  const lost = acknowledged.filter((value) => !written.has(value) || !copied.has(value)).length;
  let twice = 0;
  for (const count of copied.values()) if (count > 1) twice += 1;
  let outOfOrder = 0;
  for (const [partition, values] of copy) {
    const places = new Map((source.get(partition) ?? []).map((value, place) => [value, place]));
    let last = -1;
    for (const value of values) {
      const place = places.get(value) ?? -1;
      if (place < last) outOfOrder += 1;
      last = Math.max(last, place);
    }
  }
  return { produced: acknowledged.length, crossed: copied.size, lost, twice, outOfOrder };
}
