/** Whole numbers from 0 to 2^53 - 1 in few bytes: seven bits each, the lowest first. */
import { assert } from '../base/assert.ts';

const bytesMax = 8;

export class NumberWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(bytesGuess = 0) {
    this.#bytes = Buffer.alloc(bytesGuess);
  }

  get length(): number {
    return this.#at;
  }

  /** Bytes of memory held. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** What was written: a view, good until the next number is. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  number(value: number): void {
    assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, 'a number that a double can hold');
    if (this.#at + bytesMax > this.#bytes.length) this.#resize(this.#bytes.length * 2 + bytesMax);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at] = (rest % 128) | 0x80;
      this.#at += 1;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at] = rest;
    this.#at += 1;
  }

  append(bytes: Uint8Array): void {
    const length = this.#at + bytes.length;
    if (length > this.#bytes.length) this.#resize(length);
    this.#bytes.set(bytes, this.#at);
    this.#at = length;
  }

  /** Gives back the memory that is not used. */
  trim(): void {
    if (this.#bytes.length > this.#at) this.#resize(this.#at);
  }

  #resize(capacity: number): void {
    // Never from the pool: what lives long must not hold more than its own bytes.
    const bytes = Buffer.alloc(capacity);
    bytes.set(this.bytes);
    this.#bytes = bytes;
  }
}

export class NumberReader {
  readonly #bytes: Uint8Array;
  readonly #corrupt: (found: string) => Error;
  #at: number;

  /** @param corrupt makes the error for bytes that end within a number, or hold too large a one */
  constructor(bytes: Uint8Array, corrupt = (found: string) => new Error(found), at = 0) {
    this.#bytes = bytes;
    this.#corrupt = corrupt;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  number(): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80) {
      this.#at += 1;
      return first;
    }
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || scale > 2 ** 49) {
        throw this.#corrupt(`ends early, at byte ${this.#at} of ${this.#bytes.length}`);
      }
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    throw this.#corrupt(`a number above 2^53 before byte ${this.#at}`);
  }
}
