/** Partitions grouped under their topics, as nearly every request wants them. */
import type { TopicPartition } from '../cluster.ts';

export function byTopic<T extends TopicPartition>(items: readonly T[]): [string, T[]][] {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const list = found.get(item.topic);
    if (list === undefined) found.set(item.topic, [item]);
    else list.push(item);
  }
  return [...found];
}
