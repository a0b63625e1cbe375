/**
 * An ordinary kafkajs consumer group member that commits as it goes and remembers what it has
 * read.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Consumer } from 'kafkajs';

export class LineConsumer {
  /** How often each record was read, by value. */
  readonly read: Map<string, number>;
  readonly #group: string;
  #consumer: Consumer | undefined;
  #lastReadMs = 0;
  #records = 0;

  constructor(group: string, read: Map<string, number>) {
    this.#group = group;
    this.read = read;
  }

  /** Records read since it was started. */
  get records(): number {
    return this.#records;
  }

  get quietMs(): number {
    return performance.now() - this.#lastReadMs;
  }

  /**
   * @param perSecond a slow reader, so that it lags as real groups do; as fast as it can unless
   * told
   */
  async start(
    brokers: readonly string[],
    topics: readonly string[],
    perSecond = Infinity,
  ): Promise<void> {
    const { Kafka, logLevel } = kafkajs;
    this.#records = 0;
    this.#lastReadMs = performance.now();
    const kafka = new Kafka({
      clientId: 'demo-consumer',
      brokers: [...brokers],
      logLevel: logLevel.NOTHING,
    });
    const consumer = kafka.consumer({ groupId: this.#group, sessionTimeout: 6_000 });
    this.#consumer = consumer;
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    const startedMs = performance.now();
    await consumer.run({
      autoCommitInterval: 500,
      eachMessage: async ({ message }) => {
        const value = message.value?.toString() ?? '';
        this.read.set(value, (this.read.get(value) ?? 0) + 1);
        this.#records += 1;
        this.#lastReadMs = performance.now();
        const aheadMs = (this.#records / perSecond) * 1000 - (performance.now() - startedMs);
        if (aheadMs > 20) await sleep(aheadMs);
      },
    });
  }

  /** Commits what it has read and leaves. */
  async stop(): Promise<void> {
    await this.#consumer?.disconnect();
    this.#consumer = undefined;
  }

  /** Its datacenter is gone: no commit, no goodbye. */
  abandon(): void {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    // Its own attempts to reach the dead brokers are ended in the background.
    void consumer?.disconnect().catch(() => undefined);
  }
}
