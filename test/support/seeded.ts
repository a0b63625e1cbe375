/** Chance that is the same for the same seed. */
import { createCipheriv } from 'node:crypto';

const textChunk = 4_000;

export class Seeded {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** In [min, max]. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(0, from.length - 1)]!;
  }

  /** Bytes of any value: no codec makes them smaller, and they are no UTF-8. */
  bytes(length: number): Buffer {
    if (length > 64) return this.#stream().update(Buffer.alloc(length));
    return Buffer.from(Array.from({ length }, () => this.int(0, 255)));
  }

  /** Words: every codec makes them smaller. */
  text(length: number): Buffer {
    const words = ['order', 'payment', 'invoice', 'größe', '数量', 'refund', '🙂', ' ', '\n'];
    let text = '';
    while (text.length < Math.min(length, textChunk)) {
      text += `${this.pick(words)} ${this.int(0, 99)} `;
    }
    return Buffer.alloc(length, text);
  }

  #stream(): ReturnType<typeof createCipheriv> {
    const key = Buffer.from(Array.from({ length: 16 }, () => this.int(0, 255)));
    return createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  }
}
