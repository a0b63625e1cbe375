/**
 * Writes to all partitions of a topic until it is stopped, whatever happens to the brokers: what
 * was not acknowledged is sent again, under other keys, so that each record has one of its own.
 * What counts is what the log holds in the end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, isMeshError } from '../../src/base/errors.ts';
import type { BrokerLink } from '../../src/kafka/cluster.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { encodeBatch } from '../../src/records/build-batch.ts';
import { allCodecs } from './awkward-crossing.ts';

const produceMs = 5_000;
const againMs = 100;
/** The leader is elsewhere, not ready, without replicas or disk; the topic is being made again. */
const passing: ReadonlySet<number> = new Set([3, 5, 6, 7, 13, 19, 20, 56]);

export interface LoadOptions {
  readonly topic: string;
  readonly partitions: number;
  /** Between two batches of one partition. */
  readonly pauseMs?: number;
  /** Of the records of a partition; the present unless told. */
  readonly timestampMs?: (partition: number) => number;
  /** After so many batches a partition gets a transaction marker, which is not copied. */
  readonly markerRounds?: number;
}

export class Load {
  readonly #cluster: KafkaCluster;
  readonly #options: LoadOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #failure: unknown;
  #acknowledged = 0;

  constructor(cluster: KafkaCluster, options: LoadOptions) {
    this.#cluster = cluster;
    this.#options = options;
    const all = Array.from({ length: options.partitions }, (_, partition) =>
      this.#write(partition),
    );
    this.#running = Promise.all(all).then(
      () => undefined,
      (error: unknown) => {
        this.#failure = error;
      },
    );
  }

  /** Records that the log holds for certain. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** @throws what ended it before its time */
  async stop(): Promise<number> {
    this.#stop.abort();
    await this.#running;
    if (this.#failure !== undefined) throw new Error(errorMessage(this.#failure));
    return this.#acknowledged;
  }

  async #write(partition: number): Promise<void> {
    const { pauseMs = 5, timestampMs = Date.now, markerRounds = Infinity } = this.#options;
    for (let round = 0; !this.#stop.signal.aborted; round += 1) {
      const count = 1 + (round % 60);
      const batch = (attempt: number): Buffer => {
        const records = Array.from({ length: count }, (_, index) => ({
          key: Buffer.from(`${partition}-${round}-${index}-${attempt}`),
          value: Buffer.alloc(index * 7, 'v'),
          timestampMs: timestampMs(partition),
        }));
        const codec = allCodecs[(round + partition) % allCodecs.length] ?? 'none';
        return encodeBatch(records, { codec });
      };
      if (await this.#append(partition, batch)) this.#acknowledged += count;
      if ((round + partition) % markerRounds === 0) await this.#mark(partition);
      await sleep(pauseMs);
    }
    await this.#links[partition]?.[Symbol.asyncDispose]();
  }

  readonly #links: (BrokerLink | undefined)[] = [];

  /** True when it was acknowledged; false when stopped before that. */
  async #append(partition: number, batch: (attempt: number) => Buffer): Promise<boolean> {
    for (let attempt = 0; !this.#stop.signal.aborted; attempt += 1) {
      try {
        const { topic } = this.#options;
        const link = (this.#links[partition] ??= await this.#open(partition));
        const [answer] = await link.produce({
          batches: [{ topic, partition, batch: batch(attempt) }],
          timeoutMs: produceMs,
        });
        const code = answer?.errorCode ?? -1;
        if (code === 0) return true;
        if (!passing.has(code)) throw new Error(`load: Kafka error ${code}`);
      } catch (error) {
        if (!isMeshError(error) || !error.retriable) throw error;
      }
      await this.#links[partition]?.[Symbol.asyncDispose]();
      this.#links[partition] = undefined;
      await sleep(againMs);
    }
    return false;
  }

  async #mark(partition: number): Promise<void> {
    const { topic } = this.#options;
    const transactionalId = `load-${partition}`;
    const onProducerId = (): Promise<void> => Promise.resolve();
    try {
      const asked = { topic, partition, transactionalId, onProducerId };
      await this.#cluster.fence(asked, this.#stop.signal);
    } catch (error) {
      if (!isMeshError(error) || !(error.retriable || error.code === 'aborted')) throw error;
    }
  }

  async #open(partition: number): Promise<BrokerLink> {
    const found = (await this.#cluster.metadata()).topics.get(this.#options.topic);
    return this.#cluster.openLink(found?.partitions[partition]?.leader ?? -1, 'load');
  }
}
