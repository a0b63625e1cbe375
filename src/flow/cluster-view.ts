/**
 * The present metadata of one cluster, shared by all that reads from or writes to it. Refreshed by
 * interval, and at once (but not more often than every 200 ms) when someone met a stale leader.
 */
import type { Clock } from '../base/clock.ts';
import { isMeshError, errorMessage } from '../base/errors.ts';
import { Pause } from '../base/pause.ts';
import type { Log } from '../base/log.ts';
import type {
  Cluster,
  ClusterMetadata,
  ListedOffset,
  PartitionMetadata,
  TopicMetadata,
  TopicPartition,
} from '../kafka/cluster.ts';
import { AskedTogether } from './asked-together.ts';

const staleRefreshMsMin = 200;

/** @param isSame nothing is otherwise than at the last call, nor did anybody doubt that */
type ViewListener = (isSame: boolean) => void;

export class ClusterView {
  readonly cluster: Cluster;
  /** Where logs begin and end. */
  readonly starts: AskedTogether<TopicPartition, ListedOffset>;
  readonly ends: AskedTogether<TopicPartition, ListedOffset>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #refreshMs: number;
  readonly #listeners = new Set<ViewListener>();
  #current: ClusterMetadata | undefined;
  #running: Promise<void> | undefined;
  #isDoubted = false;
  #failingSinceMs: number | undefined;
  #why = '';
  readonly #untilRefresh: Pause;

  constructor(cluster: Cluster, options: { refreshMs: number; clock: Clock; log: Log }) {
    this.cluster = cluster;
    this.#clock = options.clock;
    this.#untilRefresh = new Pause(options.clock);
    this.#log = options.log;
    this.#refreshMs = options.refreshMs;
    const leader = (topic: string, partition: number): number | undefined =>
      this.leader(topic, partition);
    this.starts = new AskedTogether(leader, (logs) => cluster.listOffsets(logs, 'earliest'));
    this.ends = new AskedTogether(leader, (logs) => cluster.listOffsets(logs, 'latest'));
  }

  get current(): ClusterMetadata | undefined {
    return this.#current;
  }

  /** Wall clock since when the cluster does not answer; undefined while it does. */
  get unreachableSinceMs(): number | undefined {
    return this.#failingSinceMs;
  }

  get why(): string {
    return this.#why;
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#current?.topics.get(name);
  }

  partition(topic: string, partition: number): PartitionMetadata | undefined {
    return this.topic(topic)?.partitions[partition];
  }

  /** Broker id of the leader; undefined while there is none. */
  leader(topic: string, partition: number): number | undefined {
    const found = this.partition(topic, partition);
    return found === undefined || found.leader < 0 ? undefined : found.leader;
  }

  /** Called after every refresh, also one that failed. */
  onRefresh(listener: ViewListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks for a refresh soon: what is known has proved stale. */
  invalidate(): void {
    this.#isDoubted = true;
    this.#untilRefresh.end();
  }

  /** Fresh metadata; joins a refresh that is under way. */
  async refresh(signal?: AbortSignal): Promise<void> {
    this.#running ??= this.#refresh(signal).finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.refresh(signal);
      } catch (error) {
        if (isMeshError(error, 'aborted')) return;
        this.#log.debug({ cluster: this.cluster.name, why: errorMessage(error) }, 'no metadata');
      }
      await this.#pause(signal);
    }
  }

  async #refresh(signal: AbortSignal | undefined): Promise<void> {
    const before = this.#failingSinceMs === undefined ? this.#current : undefined;
    let isSame = false;
    try {
      this.#current = await this.cluster.metadata(signal);
      isSame = this.#current === before && !this.#isDoubted;
      this.#isDoubted = false;
      this.#failingSinceMs = undefined;
      this.#why = '';
    } catch (error) {
      this.#failingSinceMs ??= this.#clock.nowMs();
      this.#why = errorMessage(error);
      throw error;
    } finally {
      for (const listener of this.#listeners) listener(isSame);
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    // While the cluster is away, look more often: its return should be noticed within a second.
    const ms = this.#failingSinceMs === undefined ? this.#refreshMs : 1000;
    const startedMs = this.#clock.monotonicMs();
    await this.#untilRefresh.wait(ms, signal);
    const leftMs = staleRefreshMsMin - (this.#clock.monotonicMs() - startedMs);
    if (leftMs > 0) await this.#clock.sleep(leftMs, signal).catch(() => undefined);
  }
}
