/**
 * Reads the primitive types of Kafka's protocol. Running past the end is an error, never a guess.
 */
import { MeshError } from '../base/errors.ts';

export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** A view of what has not been read yet. */
  get rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#take(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8));
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  string(): string {
    return this.nullableString() ?? '';
  }

  nullableString(): string | null {
    const length = this.int16();
    if (length < 0) return null;
    const from = this.#take(length);
    return this.#bytes.toString('utf8', from, from + length);
  }

  /** A view, not a copy; empty for null. */
  bytes(): Buffer {
    const length = Math.max(0, this.int32());
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  array<T>(read: () => T): T[] {
    return this.#items(Math.max(0, this.int32()), read);
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value >>> 0;
  }

  compactString(): string {
    return this.compactNullableString() ?? '';
  }

  compactNullableString(): string | null {
    const length = this.varint() - 1;
    if (length < 0) return null;
    const from = this.#take(length);
    return this.#bytes.toString('utf8', from, from + length);
  }

  /** A view, not a copy; empty for null. */
  compactBytes(): Buffer {
    const length = Math.max(0, this.varint() - 1);
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  compactArray<T>(read: () => T): T[] {
    return this.#items(Math.max(0, this.varint() - 1), read);
  }

  /** 22 characters, base64url. */
  uuid(): string {
    const from = this.#take(16);
    return this.#bytes.toString('base64url', from, from + 16);
  }

  skipTags(): void {
    for (let count = this.varint(); count > 0; count -= 1) {
      this.varint();
      const size = this.varint();
      this.#take(size);
    }
  }

  #items<T>(count: number, read: () => T): T[] {
    const items: T[] = [];
    for (let index = 0; index < count; index += 1) items.push(read());
    return items;
  }

  #take(bytes: number): number {
    const from = this.#at;
    this.#at += bytes;
    if (this.#at <= this.#bytes.length) return from;
    throw new MeshError(
      'kafka_unavailable',
      `a response of ${this.#bytes.length} bytes ends early: ${this.#at} wanted`,
    );
  }
}
