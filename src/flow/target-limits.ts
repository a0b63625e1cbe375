/** What the target's brokers and topics allow, as the upkeep last read it. */
import type { Clock } from '../base/clock.ts';

const producerIdExpiryMsDefault = 24 * 60 * 60 * 1000;
const messageBytesDefault = 1024 * 1024;
/** Clocks of brokers and agents differ, and the sweep may come early. */
const expiryMarginMs = 60 * 60 * 1000;
/** Larger merged batches bring no more throughput, and cost latency and memory. */
const batchBytesWanted = 896 * 1024;

export class TargetLimits {
  readonly #clock: Clock;
  readonly #messageBytes = new Map<string, number>();
  readonly #distrusted = new Set<string>();
  #expiryMs = producerIdExpiryMsDefault;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  setProducerIdExpiry(ms: number): void {
    this.#expiryMs = ms;
  }

  setMessageBytesMax(remoteTopic: string, bytes: number): void {
    this.#messageBytes.set(remoteTopic, bytes);
    this.#distrusted.delete(remoteTopic);
  }

  /** A batch was refused as too large: the limit may have been lowered since it was read. */
  distrust(remoteTopic: string): void {
    this.#distrusted.add(remoteTopic);
  }

  isDistrusted(remoteTopic: string): boolean {
    return this.#distrusted.has(remoteTopic);
  }

  /** What a batch that is made may have. */
  batchBytesMax(remoteTopic: string): number {
    return Math.min(batchBytesWanted, this.messageBytesMax(remoteTopic));
  }

  /** What a batch may have that is there already. */
  messageBytesMax(remoteTopic: string): number {
    return this.#messageBytes.get(remoteTopic) ?? messageBytesDefault;
  }

  /**
   * Timestamps before this one (ms since 1970): the broker ages what it knows of a producer by the
   * timestamps of records, so it may forget the sequences of such batches at any moment.
   */
  oldBefore(): number {
    const margin = Math.min(expiryMarginMs, this.#expiryMs / 4);
    return this.#clock.nowMs() - (this.#expiryMs - margin);
  }
}
