/**
 * Reads what the target allows: how long its brokers remember producers, how large a batch of each
 * remote topic may be. Topics are read when they are first carried, when a batch was too large for
 * them, and else every minute.
 */
import type { FlowContext } from './flow-context.ts';

const rereadMs = 60_000;
const sizeKey = 'max.message.bytes';

export class LimitReader {
  readonly #context: FlowContext;
  readonly #readAtMs = new Map<string, number>();
  #hasBrokerLimits = false;

  constructor(context: FlowContext) {
    this.#context = context;
  }

  async round(remoteTopics: readonly string[]): Promise<void> {
    const { deps } = this.#context;
    await this.#readBroker();
    const now = deps.clock.monotonicMs();
    const { limits } = this.#context;
    const due = remoteTopics.filter(
      (name) =>
        limits.isDistrusted(name) || now - (this.#readAtMs.get(name) ?? -Infinity) > rereadMs,
    );
    await this.#readTopics(due);
  }

  async #readTopics(names: readonly string[]): Promise<void> {
    const { target, limits, deps } = this.#context;
    const known = names.filter((name) => target.topic(name) !== undefined);
    if (known.length === 0) return;
    const configs = await target.cluster.topicConfigs(known, [sizeKey]);
    for (const [name, entries] of configs) {
      const bytes = entries.find((entry) => entry.name === sizeKey)?.value;
      if (typeof bytes === 'string') limits.setMessageBytesMax(name, Number(bytes));
      this.#readAtMs.set(name, deps.clock.monotonicMs());
    }
  }

  async #readBroker(): Promise<void> {
    const { target, limits } = this.#context;
    const broker = [...(target.current?.brokers.keys() ?? [])][0];
    if (this.#hasBrokerLimits || broker === undefined) return;
    const configs = await target.cluster.brokerConfigs(broker);
    const expiry = configs.find((entry) => entry.name === 'producer.id.expiration.ms')?.value;
    if (typeof expiry === 'string') limits.setProducerIdExpiry(Number(expiry));
    this.#hasBrokerLimits = true;
  }
}
