/**
 * An ordinary kafkajs producer that writes lines at a steady pace and remembers what was
 * acknowledged.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { Line } from './data.ts';

const batchLines = 50;

export class LineProducer {
  /** Records that the broker acknowledged, by value: each value is unique. */
  readonly acknowledged: string[] = [];
  readonly #site: string;
  readonly #topic: string;
  readonly #lines: readonly Line[];
  readonly #perSecond: number;
  #next = 0;
  #running: Promise<void> = Promise.resolve();
  #isStopped = true;

  constructor(site: string, topic: string, lines: readonly Line[], perSecond: number) {
    this.#site = site;
    this.#topic = topic;
    this.#lines = lines;
    this.#perSecond = perSecond;
  }

  start(brokers: readonly string[]): void {
    this.#isStopped = false;
    this.#running = this.#run(brokers);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(brokers: readonly string[]): Promise<void> {
    const { Kafka, logLevel, CompressionTypes } = kafkajs;
    const kafka = new Kafka({
      clientId: `demo-producer-${this.#site}`,
      brokers: [...brokers],
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    });
    const producer = kafka.producer({ idempotent: false });
    await producer.connect();
    const from = performance.now();
    let sent = 0;
    while (!this.#isStopped) {
      const messages = this.#batch();
      try {
        await producer.send({
          topic: this.#topic,
          messages,
          acks: -1,
          compression: CompressionTypes.GZIP,
        });
        for (const { value } of messages) this.acknowledged.push(value);
      } catch {
        // The site is being killed: what was not acknowledged was never promised.
        break;
      }
      sent += messages.length;
      await sleep(Math.max(0, (sent / this.#perSecond) * 1000 - (performance.now() - from)));
    }
    await producer.disconnect().catch(() => undefined);
  }

  /** Every value begins with site and number, so that each record is told from every other. */
  #batch(): { key: string; value: string }[] {
    return Array.from({ length: batchLines }, () => {
      const number = this.#next;
      this.#next += 1;
      const line = this.#lines[number % this.#lines.length] ?? { key: '', value: '' };
      return { key: line.key, value: `${this.#site}#${number} ${line.value}` };
    });
  }
}
