/**
 * How long the brokers of this site keep an offset that nobody commits again
 * (`offsets.retention.minutes`; KIP-211 says from when it counts).
 */
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
import type { Cluster } from '../kafka/cluster.ts';

export type RetentionCluster = Pick<Cluster, 'metadata' | 'brokerConfigs'>;

const minuteMs = 60_000;
const defaultMs = 7 * 24 * 60 * minuteMs;
const lookEveryMs = 3_600_000;
const lookAgainMs = 60_000;
/** Four chances to commit again before they are gone. */
const share = 4;

export class OffsetsRetention {
  readonly #cluster: RetentionCluster;
  readonly #deps: Deps;
  #retentionMs = defaultMs;
  #nextLookMs = -Infinity;
  #isToldOf = false;

  constructor(cluster: RetentionCluster, deps: Deps) {
    this.#cluster = cluster;
    this.#deps = deps;
  }

  /** An offset that was committed so long ago is due to be committed again. */
  get refreshMs(): number {
    return this.#retentionMs / share;
  }

  /** Where brokers may not be asked it is Kafka's default, seven days. */
  async look(): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs < this.#nextLookMs) return;
    this.#nextLookMs = nowMs + lookAgainMs;
    try {
      const [broker] = (await this.#cluster.metadata()).brokers.keys();
      if (broker === undefined) return;
      const configs = await this.#cluster.brokerConfigs(broker);
      const found = configs.find(({ name }) => name === 'offsets.retention.minutes')?.value;
      const minutes = Number(found);
      if (minutes >= 1) this.#retentionMs = minutes * minuteMs;
      this.#nextLookMs = nowMs + lookEveryMs;
    } catch (error) {
      if (!isMeshError(error)) throw error;
      const why = errorMessage(error);
      const level = this.#isToldOf ? 'debug' : 'info';
      this.#isToldOf = true;
      this.#deps.log[level]({ why }, 'offsets.retention.minutes not read: taken for seven days');
    }
  }
}
