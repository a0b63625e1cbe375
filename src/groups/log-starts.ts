/** First offsets still held in logs of this site, as they were not long ago: asked for together. */
import type { Clock } from '../base/clock.ts';
import type { TopicPartition } from '../kafka/cluster.ts';
import type { GroupCluster } from './group-ports.ts';

const askedAtOnceMax = 2_000;
const ageMsMax = 30_000;

export class LogStarts {
  readonly #cluster: Pick<GroupCluster, 'listOffsets'>;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly offset: bigint; readonly atMs: number }>();

  constructor(cluster: Pick<GroupCluster, 'listOffsets'>, clock: Clock) {
    this.#cluster = cluster;
    this.#clock = clock;
  }

  of(topic: string, partition: number): bigint | undefined {
    return this.#known.get(`${topic}/${partition}`)?.offset;
  }

  /** Asks for those that are not known, or not any more. True when there were any. */
  async refresh(wanted: readonly TopicPartition[]): Promise<boolean> {
    const oldestMs = this.#clock.monotonicMs() - ageMsMax;
    const stale = new Map<string, TopicPartition>();
    for (const { topic, partition } of wanted) {
      const key = `${topic}/${partition}`;
      if ((this.#known.get(key)?.atMs ?? -Infinity) < oldestMs) {
        stale.set(key, { topic, partition });
      }
    }
    const all = [...stale.values()];
    for (let from = 0; from < all.length; from += askedAtOnceMax) {
      const some = all.slice(from, from + askedAtOnceMax);
      const listed = await this.#cluster.listOffsets(some, 'earliest');
      const atMs = this.#clock.monotonicMs();
      for (const { topic, partition, errorCode, offset } of listed) {
        if (errorCode === 0) this.#known.set(`${topic}/${partition}`, { offset, atMs });
      }
    }
    return all.length > 0;
  }
}
