/**
 * How far one partition of a followed topic has been read, and what a fetch of it brings.
 *
 * Invariant: batches are delivered in order, each once, and `isAtEnd` only after all of those that
 * the log held when reading began.
 */
import { Reached } from '../base/reached.ts';
import { decodeBatches, type DecodedBatch } from '../records/decode-records.ts';
import type { FetchedPartition } from './cluster.ts';

export interface FollowListener {
  onBatch(partition: number, batch: DecodedBatch): void;
  /** The end, as it was when reading began, is reached. `isUnused`: nothing was ever written. */
  onEnd(partition: number, isUnused: boolean): void;
  /** After the end was reached: what one fetch brought has been delivered. */
  onFetched(partition: number): void;
  /** The log was made anew or cut, and is read from its start: what was delivered is void. */
  onRestart(partition: number): void;
}

export class FollowedPartition {
  readonly topic: string;
  readonly partition: number;
  /** After the end was reached: how far all is delivered. */
  readonly delivered = new Reached();
  readonly #listener: FollowListener;
  /** Broker that it is read from; undefined: nobody reads it just now. */
  broker: number | undefined;
  /** When all that was in the log had been read, the last time; monotonic. */
  asOfMs = -Infinity;
  #next: number | undefined;
  #end = Infinity;
  #isAtEnd = false;

  constructor(topic: string, partition: number, listener: FollowListener) {
    this.topic = topic;
    this.partition = partition;
    this.#listener = listener;
  }

  /** undefined: where its log starts is to be found out. */
  get next(): number | undefined {
    return this.#next;
  }

  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  startAt(start: number, end: number): void {
    this.#next = start;
    this.#end = end;
    this.#noteEnd();
  }

  restart(): void {
    this.#next = undefined;
    this.#isAtEnd = false;
    this.asOfMs = -Infinity;
    this.delivered.moveTo(-Infinity);
    this.#listener.onRestart(this.partition);
  }

  /** @throws MeshError batch_corrupt */
  take({ records, highWatermark }: FetchedPartition, sentMs: number): void {
    const from = this.#next ?? 0;
    let next = from;
    for (const batch of decodeBatches(records, `${this.topic}/${this.partition}`)) {
      if (batch.lastOffset < from) continue;
      this.#listener.onBatch(this.partition, batch);
      next = batch.lastOffset + 1;
      this.#next = next;
    }
    if (next >= Number(highWatermark)) this.asOfMs = sentMs;
    if (!this.#isAtEnd) this.#noteEnd();
    else if (records.length > 0) {
      this.#listener.onFetched(this.partition);
      this.delivered.moveTo(next);
    }
  }

  #noteEnd(): void {
    const next = this.#next ?? -1;
    if (next < this.#end) return;
    this.#isAtEnd = true;
    this.#listener.onEnd(this.partition, this.#end === 0);
    this.delivered.moveTo(next);
  }
}
