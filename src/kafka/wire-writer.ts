/** Writes the primitive types of Kafka's protocol, big-endian; grows as it goes. */
export class WireWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(bytesGuess = 512) {
    this.#bytes = Buffer.allocUnsafe(bytesGuess);
  }

  /** What was written; valid until the next write. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  get length(): number {
    return this.#at;
  }

  int8(value: number): this {
    this.#at = this.#room(1).writeInt8(value, this.#at);
    return this;
  }

  int16(value: number): this {
    this.#at = this.#room(2).writeInt16BE(value, this.#at);
    return this;
  }

  int32(value: number): this {
    this.#at = this.#room(4).writeInt32BE(value, this.#at);
    return this;
  }

  int64(value: bigint): this {
    this.#at = this.#room(8).writeBigInt64BE(value, this.#at);
    return this;
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  string(value: string): this {
    const length = Buffer.byteLength(value);
    this.int16(length);
    this.#at += this.#room(length).write(value, this.#at);
    return this;
  }

  nullableString(value: string | null): this {
    return value === null ? this.int16(-1) : this.string(value);
  }

  bytesOf(value: Buffer): this {
    this.int32(value.length);
    this.#at += value.copy(this.#room(value.length), this.#at);
    return this;
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** Unsigned, as in the flexible versions. */
  varint(value: number): this {
    const bytes = this.#room(5);
    let rest = value;
    while (rest > 0x7f) {
      bytes[this.#at] = (rest & 0x7f) | 0x80;
      this.#at += 1;
      rest >>>= 7;
    }
    bytes[this.#at] = rest;
    this.#at += 1;
    return this;
  }

  compactString(value: string): this {
    const length = Buffer.byteLength(value);
    this.varint(length + 1);
    this.#at += this.#room(length).write(value, this.#at);
    return this;
  }

  /** From 22 characters, base64url. */
  uuid(value: string): this {
    this.#at += this.#room(16).write(value, this.#at, 16, 'base64url');
    return this;
  }

  compactArray<T>(items: readonly T[] | null, write: (item: T) => void): this {
    if (items === null) return this.varint(0);
    this.varint(items.length + 1);
    for (const item of items) write(item);
    return this;
  }

  /** No tagged fields. */
  noTags(): this {
    return this.int8(0);
  }

  #room(bytes: number): Buffer {
    const wanted = this.#at + bytes;
    if (wanted > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#at);
      this.#bytes = grown;
    }
    return this.#bytes;
  }
}
