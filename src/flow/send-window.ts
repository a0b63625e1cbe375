/**
 * The batches of one target partition between the stamper and the acknowledgement.
 *
 * Invariants: batches are sent, and acknowledged, in order; a batch keeps its sequence for life;
 * never more than five are unanswered (one, while an old one is among them); after a repeatable
 * failure nothing is sent until every outstanding request is answered, then all unacknowledged
 * batches go out again in order.
 */
import { assert } from '../base/assert.ts';
import { resealBatch, sealBatch } from '../records/seal.ts';
import { ownBytes, type StampedBatch } from '../records/stamped-batch.ts';

export interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export interface Pending {
  readonly batch: StampedBatch;
  readonly baseSequence: number;
  /** Older than the broker remembers producers: not to be repeated blindly. */
  readonly isOld: boolean;
}

interface Slot extends Pending {
  isOutstanding: boolean;
  attempts: number;
}

const inFlightMax = 5;
const sequenceModulus = 2 ** 31;

export class SendWindow {
  readonly #producer: Producer;
  readonly #isOld: (batch: StampedBatch) => boolean;
  readonly #queue: StampedBatch[] = [];
  readonly #sent: Slot[] = [];
  #nextSequence = 0;
  #outstanding = 0;
  #queuedBytes = 0;
  #ownBytes = 0;
  /** Batches at the end of the queue that may not be sent yet. */
  #held = 0;
  #mustRepeat = false;
  /** Something was answered in a way that ends it: nothing more is sent. */
  #isEnding = false;
  #isBroken = false;
  #onSettled: (() => void) | undefined;

  constructor(producer: Producer, isOld: (batch: StampedBatch) => boolean) {
    this.#producer = producer;
    this.#isOld = isOld;
  }

  /** Bytes waiting or sent and not acknowledged. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Of those the ones that batches of this window alone keep in memory. */
  get ownBytes(): number {
    return this.#ownBytes;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#sent.length === 0;
  }

  /** Whether what would be sent next is older than the broker remembers producers. */
  get isNextOld(): boolean {
    const again = this.#sent.find((slot) => !slot.isOutstanding);
    const batch = this.#queue[0];
    return again?.isOld ?? (batch !== undefined && this.#isOld(batch));
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  get mustRepeat(): boolean {
    return this.#mustRepeat;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** @param isHeld not to be sent, nor what is pushed after it, before it is released */
  push(batch: StampedBatch, isHeld = false): void {
    assert(!this.#isBroken, 'push after the window was broken off');
    assert(isHeld || this.#held === 0, 'what is pushed behind a held batch is held');
    if (isHeld) this.#held += 1;
    this.#queue.push(batch);
    this.#queuedBytes += batch.bytes.length;
    this.#ownBytes += ownBytes(batch);
  }

  /** So many of the batches held, the oldest ones, may be sent; a broken window has none left. */
  release(count: number): void {
    if (this.#isBroken) return;
    assert(count <= this.#held, 'no more is released than is held');
    this.#held -= count;
  }

  /** The next batch to send, sealed; undefined when nothing may be sent now. */
  next(): Pending | undefined {
    if (this.#isBroken || this.#isEnding || this.#mustRepeat) return undefined;
    const again = this.#sent.find((slot) => !slot.isOutstanding);
    if (again !== undefined) return this.#send(again);
    const batch = this.#queue.length > this.#held ? this.#queue[0] : undefined;
    if (batch === undefined || this.#sent.length >= this.#limit(batch)) return undefined;
    this.#queue.shift();
    const slot: Slot = {
      batch,
      baseSequence: this.#nextSequence,
      isOld: this.#isOld(batch),
      isOutstanding: false,
      attempts: 0,
    };
    const producer = { ...this.#producer, baseSequence: slot.baseSequence };
    if (batch.proved === undefined) sealBatch(batch.bytes, producer);
    else resealBatch(batch.bytes, producer, batch.proved.attributes);
    this.#nextSequence = (this.#nextSequence + batch.recordCount) % sequenceModulus;
    this.#sent.push(slot);
    return this.#send(slot);
  }

  /**
   * The oldest unacknowledged batch has landed; it leaves the window and its memory is given
   * back.
   */
  acknowledged(pending: Pending): void {
    const head = this.#sent.shift();
    assert(head === pending, 'acknowledgements come in order');
    assert(!this.#isBroken, 'acknowledged after the window was broken off');
    this.#answered(head);
    this.#queuedBytes -= head.batch.bytes.length;
    this.#ownBytes -= ownBytes(head.batch);
    head.batch.release();
  }

  /** True when `pending` is the oldest unacknowledged one: only then may it be acknowledged. */
  isHead(pending: Pending): boolean {
    return this.#sent[0] === pending;
  }

  /** It did not land, and may be sent again. Returns how often it has been sent. */
  failed(pending: Pending): number {
    // Every Pending that left this class is one of its slots.
    const slot = pending as Slot;
    this.#answered(slot);
    this.#mustRepeat = true;
    return slot.attempts;
  }

  /** Answered in a way that ends this window: `breakOff` follows, nothing is sent any more. */
  answered(pending: Pending): void {
    this.#isEnding = true;
    this.#answered(pending as Slot);
  }

  /** After a pause: all unacknowledged batches may go out again. Not while any is outstanding. */
  repeat(): void {
    assert(this.#outstanding === 0, 'repeat while requests are outstanding');
    this.#mustRepeat = false;
  }

  /**
   * Sends nothing more; resolves when no request refers to our memory, which is then given back.
   */
  async breakOff(): Promise<void> {
    this.#isBroken = true;
    if (this.#outstanding > 0) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
    }
    for (const slot of this.#sent) slot.batch.release();
    for (const batch of this.#queue) batch.release();
    this.#sent.length = 0;
    this.#queue.length = 0;
    this.#held = 0;
    this.#queuedBytes = 0;
    this.#ownBytes = 0;
  }

  #limit(batch: StampedBatch): number {
    return this.#isOld(batch) || this.#sent.some((slot) => slot.isOld) ? 1 : inFlightMax;
  }

  #send(slot: Slot): Slot {
    slot.isOutstanding = true;
    slot.attempts += 1;
    this.#outstanding += 1;
    return slot;
  }

  #answered(slot: Slot): void {
    assert(slot.isOutstanding, 'answer for a batch that was not outstanding');
    slot.isOutstanding = false;
    this.#outstanding -= 1;
    if (this.#outstanding === 0) this.#onSettled?.();
  }
}
