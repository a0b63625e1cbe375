/** Positions of a site's groups read in this process, and what their coordinators say of them. */
import assert from 'node:assert/strict';
import { siteName, type SiteName } from '../../src/base/ids.ts';
import { PositionsReader } from '../../src/groups/positions-reader.ts';
import type { ReaderOptions } from '../../src/groups/positions-source.ts';
import { PositionsStore } from '../../src/groups/positions-store.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { testDeps } from './deps.ts';
import { until } from './until.ts';

export class ReadPositions implements AsyncDisposable {
  readonly site: SiteName;
  readonly store = new PositionsStore();
  readonly reader: PositionsReader;
  readonly #cluster: KafkaCluster;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(cluster: KafkaCluster, options: Partial<ReaderOptions> = {}) {
    this.#cluster = cluster;
    this.site = siteName(cluster.name);
    this.reader = new PositionsReader(
      {
        site: this.site,
        cluster,
        store: this.store,
        isFollowed: () => true,
        origin: () => 'own',
        settle: () => Promise.resolve(),
        ...options,
      },
      testDeps(),
    );
    this.#running = this.reader.run(this.#stop.signal);
  }

  /** Waits until the log is read; closed when it is not. */
  async fromLog(): Promise<this> {
    try {
      // A cluster has no log of commits before a group is asked for.
      await this.#cluster.groupOffsets('nobody');
      await until('positions to come from the log', () => this.reader.source().mode === 'log');
      return this;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `topic/partition@offset metadata`, sorted. */
  known(group: string): string[] {
    return this.store
      .positions(this.site, group)
      .filter(({ offset }) => offset !== undefined)
      .map(
        (one) => `${one.topic}/${one.partition}@${one.offset} ${one.leaderEpoch} ${one.metadata}`,
      )
      .sort();
  }

  async asked(group: string): Promise<string[]> {
    return (await this.#cluster.groupOffsets(group))
      .filter(({ offset }) => offset >= 0n)
      .map(
        (one) => `${one.topic}/${one.partition}@${one.offset} ${one.leaderEpoch} ${one.metadata}`,
      )
      .sort();
  }

  /** What is known of the group, once all it has committed by now is. */
  async refreshed(group: string): Promise<string[]> {
    await this.reader.refresh(group);
    return this.known(group);
  }

  /** Every group: what is known is what its coordinator answers. */
  async checkAll(groups: readonly string[]): Promise<void> {
    for (const group of groups) {
      assert.deepEqual(await this.refreshed(group), await this.asked(group), group);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
